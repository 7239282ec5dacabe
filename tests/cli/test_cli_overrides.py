"""Overrides that miss quotes, lists in other forms, and what Hydra's grammar has words for."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_examples import planned, refused_with

ONE_TEXT = "not read as one text without quotes; type "
MORE = "several values; only qbench sweep and qbench plan take more than one."
LITERALLY = r"; a text that has ${ in it is typed with \${ in its place."

# What is typed: the whole answer, the same of every verb.
REFUSED = {
    "out=epoch=999-step=1.ckpt": f"{ONE_TEXT}'out=\"epoch=999-step=1.ckpt\"'",
    "data.dir=/data/with space (1)": f"{ONE_TEXT}'data.dir=\"/data/with space (1)\"'",
    "data.note=don't": rf'''{ONE_TEXT}"data.note=\"don't\""''',
    "data.note=a, b": f"{ONE_TEXT}'data.note=\"a, b\"'",
    "data.note=50% [test]": f"{ONE_TEXT}'data.note=\"50% [test]\"'",
    "data.note={x}": f"{ONE_TEXT}'data.note=\"{{x}}\"'",
    "data.note=12": f"{ONE_TEXT}'data.note=\"12\"'",
    "data.note=true": f"{ONE_TEXT}'data.note=\"true\"'",
    "out=~/a,b": f"{ONE_TEXT}'out=\"~/a,b\"'",
    "model.file=a=b": f"{ONE_TEXT}'model.file=\"a=b\"'",
    "seeds=(0,1)": "a list is written with brackets, as [1,2].",
    "seeds={0,1}": "a list is written with brackets, as [1,2].",
    "seeds=range(1000000000)": "more than 10,000 values are in this.",
    "seeds=range(3,1)": "no value is in this.",
    "seeds=range(1,5,0)": "a range needs a step other than 0.",
    "seeds.most=9": "seeds is given as a whole; expected a list of whole numbers.",
    "design.factors.0=quant.bits": "design.factors is given as a whole; expected a list of keys,"
    " or null.",
    "quant.bits=foo(4)": "foo is not a function; there are choice, range, sort, glob, int, float,"
    " str, bool.",
    "quant.bits=int(abc)": "int cannot be called with this.",
    "quant.bits=[range(3)]": "a function of several values stands alone.",
    "quant.bits=8,": "a value is missing beside a comma.",
    "quant.bits=8;4": "cannot be read as a value.",
    "quant.bits==4": "one '=' too many.",
    "quant.bits=[4": "[ is not closed.",
    "quant.bits=4]": "] closes nothing.",
    "quant.bits='4": "the quote ' is not closed.",
    'quant.bits="4': 'the quote " is not closed.',
    "quant.bits =4": "no blanks around '='; type quant.bits=4",
    "quant.bits=\u00a04": "has a sign from a document, no-break space (U+00A0); type quant.bits=4",
    "quant.op=“qdq_v2”": "has a sign from a document, left double quotation mark (U+201C); type"
    " quant.op=qdq_v2",
    "\u2013quant.bits=4": "has a sign from a document, en dash (U+2013); type quant.bits=4",
    "quant.bits:4": "cannot be read as an override; expected key=value; did you mean quant.bits=4?",
    "key": "cannot be read as an override; expected key=value.",
    "=5": "the key is missing; expected key=value.",
    "data=3": "data is chosen by a name, such as data=cifar10.",
    "data=null": "data is chosen by a name, such as data=cifar10.",
    "train.optimizer=adam": "train.optimizer is a group; choose with train/optimizer=NAME.",
}

# The same, where the answer does not begin with what was typed.
SAID = {
    "": "an argument is empty; expected key=value.",
    "  ": "an argument is empty; expected key=value.",
    "quant..bits=4": "quant..bits is not a setting. Did you mean 'quant.bits'?",
    "+quant.bits=4": "+quant.bits: the setting is there already; leave the + out.",
    "+data=mnist": "data: chosen more than once; give it one value, without a +.",
    "~nothing": "nothing is not a setting.",
    "~foo/bar": "foo/bar is not a setting.",
    "~quant": "quant is missing; give it a value.",
    "~train/schedule": "train.schedule is missing; give it a value.",
    "~quant.bits=4": "~quant.bits=4: its value is 8.",
    "~data=mnist": "~data=mnist: this is not what is chosen in data.",
    "quant.bits='4'": "quant.bits='4' is not allowed: expected a whole number from 1 to 62.",
    "data.note=${x}": f"${{x}} stands for another setting, and there is no x{LITERALLY}",
    "data.note=${no:1}": f"${{no:...}} is not known{LITERALLY}",
    "data.note=${oc.env:NO_SUCH}": f"the environment has no variable NO_SUCH{LITERALLY}",
    "data.note=${data.note}": f"a setting stands for itself by ${{...}}{LITERALLY}",
    "-quant.bits=4": "-quant.bits is not an option. An override has no dashes: quant.bits=4",
    "--config-dir=nowhere": "--config-dir nowhere: no such folder.",
    "--config-dir": "--config-dir: expected a value behind it.",
    "--cfg=foo": "--cfg foo: expected one of job, hydra, all.",
}


@pytest.mark.parametrize("verb", ["train", "sweep", "plan", "graph"])
@pytest.mark.parametrize(("typed", "answer"), REFUSED.items(), ids=REFUSED)
def test_the_answer_is_about_what_was_typed(
    typed: str, answer: str, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused_with([verb, typed], capsys) == f"{typed}: {answer}"


@pytest.mark.parametrize("verb", ["train", "plan"])
@pytest.mark.parametrize(("typed", "answer"), SAID.items(), ids=SAID)
def test_hydra_s_complaints_are_in_the_user_s_words(
    typed: str, answer: str, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused_with([verb, typed], capsys) == answer


@pytest.mark.parametrize(
    "typed",
    [
        *("quant.bits=8,4", "quant.bits=range(2,9)", "quant.bits=choice(8,4)"),
        *("quant.bits=glob(*)", "quant.bits=interval(0,1)", "quant.bits=8,range(2,5)"),
        "model=resnet8,resnet20",
    ],
)
@pytest.mark.parametrize("verb", ["train", "graph"])
def test_one_run_takes_no_levels(typed: str, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused_with([verb, typed], capsys) == f"{typed}: {MORE}"


def test_a_list_that_misses_its_brackets_is_shown_with_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    typed = "quant.placement=conv,activation"
    written = "A list is written quant.placement=[conv,activation]."
    assert refused_with(["train", typed], capsys) == f"{typed}: {MORE} {written}"


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("quant.bits=interval(0,1)", "a design takes single levels; list them, divided by commas."),
        ("quant.bits=glob(*)", "glob is for groups such as model, and stands alone."),
        ("quant.bits=4,glob(*)", "glob is for groups such as model, and stands alone."),
        ("model=glob(zzz*)", "chooses none of the group's files."),
        (
            "quant.bits=shuffle(8,4)",
            "the first level is the default; list them in order, without shuffle.",
        ),
    ],
)
def test_what_are_no_levels(typed: str, answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused_with(["plan", typed], capsys) == f"{typed}: {answer}"


@pytest.mark.parametrize(
    ("typed", "seeds"),
    [
        ("seeds=0,1", (0, 1)),
        ("seeds=range(3)", (0, 1, 2)),
        ("seeds=range(2,9,3)", (2, 5, 8)),
        ("seeds=[range(3)]", (0, 1, 2)),
        ("seeds=7,range(2)", (7, 0, 1)),
        ("seeds=choice(4,2)", (4, 2)),
        ("seeds=[0, 1]", (0, 1)),
        ("seeds=3", (3,)),
    ],
)
def test_seeds_in_every_form(
    typed: str, seeds: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert planned(monkeypatch, typed).settings.seeds == seeds


@pytest.mark.parametrize(
    ("typed", "bits"),
    [
        ("quant.bits=8,range(2,5)", [8, 2, 3, 4]),
        ("quant.bits=range(2,5)", [2, 3, 4]),
        ("quant.bits=choice(8,4)", [8, 4]),
        ("quant.bits=sort(8,4)", [4, 8]),
        ("quant.bits=choice(8)", [8]),
        ("quant.bits=tag(a,choice(8,4))", [8, 4]),
    ],
)
def test_levels_in_every_form(typed: str, bits: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(monkeypatch, typed, "design.factors=quant.bits", "design.baseline=false")
    assert [row.experiment.quant.bits for row in plan.rows] == bits


@pytest.mark.parametrize(
    ("typed", "sides"),
    [("16,null", [16, None]), ("null,16,8", [None, 16, 8]), ("null,range(8,10)", [None, 8, 9])],
)
def test_null_is_a_level(
    typed: str, sides: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which Hydra takes in a comma list alone, and in none of its functions."""
    plan = planned(monkeypatch, f"data.resolution={typed}", "design=factorial")
    rows = [row for row in plan.rows if row.experiment.quant.enabled]
    assert [row.experiment.data.resolution for row in rows] == sides


def test_factors_without_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(monkeypatch, "design.factors=quant.bits,quant.op")
    assert plan.settings.design.factors == ("quant.bits", "quant.op")


@pytest.mark.parametrize(
    ("typed", "note"),
    [
        ("data.note=see: it", "see: it"),
        ("data.note=50%", "50%"),
        (r"data.note=C:\a\b", r"C:\a\b"),
        ("data.note=", ""),
        ("data.note=null", None),
        ("data.note='a, b'", "a, b"),
        (r"data.note=\${x}", "${x}"),
        ("data.note=${study.name}", "digits"),
        ("++data.note=x", "x"),
    ],
)
def test_texts_that_need_no_quotes(
    typed: str, note: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert planned(monkeypatch, typed).settings.base.data.note == note


@pytest.mark.parametrize("verb", ["evaluate", "convert", "trace", "latency"])
@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("data.dir=don't", rf'''data.dir=don't: {ONE_TEXT}"data.dir=\"don't\""'''),
        ("data.dir=${oc.env:NO_SUCH}", "data.dir=${oc.env:NO_SUCH}: the environment has no"),
        ("images", "images: cannot be read as an override; expected key=value."),
        ("images:4", "did you mean images=4?"),
        ("eval.limit=[4", "eval.limit=[4: [ is not closed."),
        ("eval.limitt=4", "eval.limitt is not a setting"),
    ],
)
def test_verbs_on_a_finished_run_read_the_same_grammar(
    typed: str, answer: str, verb: str, tiny_sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = next(iter(sorted(tiny_sweep.glob("runs/*"))))
    assert answer in refused_with([verb, str(run), typed], capsys)
