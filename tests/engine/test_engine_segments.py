"""The segment tree: what is shared, under which names."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segment_designs import designs, distinct_steps, history, states

from qbench.cli.main import main
from qbench.planning.segments import Phase, Tree


def _run(float_end, end, quantized="q", floats="f"):
    return (Phase("float", floats, float_end), Phase("quantized", quantized, end))


def _paper(total):
    """The paper's 16 runs of `total` steps, which is a multiple of ten."""
    tenth = total // 10
    at_eighty = [_run(8 * tenth, total, f"level {k}") for k in range(9)]
    delays = [_run(k * tenth, total, "level 0") for k in (4, 5, 6, 7, 9)]
    inception = _run(8 * tenth, total, "level 0", "inception")
    return [(Phase("float", "f", total),), *at_eighty, *delays, inception]


@pytest.mark.parametrize("total", [10, 1000, 500_000])
def test_the_papers_sixteen_runs_take_5_7_of_16_times_t(total):
    tree = Tree(_paper(total))
    assert tree.steps_unshared == 16 * total
    assert tree.steps_shared * 10 == 57 * total
    assert tree.steps_shared / tree.steps_unshared == pytest.approx(0.356, abs=0.0005)
    assert tree.critical_path == total


def test_the_plan_of_the_default_design_is_the_papers(capsys):
    assert main(["plan", "study=digits", "train.steps=1000", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert len(facts["runs"]) == 16
    assert (facts["steps_unshared"], facts["steps_shared"]) == (16_000, 5_700)
    assert round(facts["ratio"], 3) == 0.356


def test_a_small_tree_is_cut_as_drawn():
    #    f f f f f f           run 0: six float steps
    #      | `-q1 q1           run 1: four float, two quantized
    #      |   `-(q2 q2)       run 2: the same with other settings
    #      `-q1 q1 q1 q1       run 3: two float, four quantized; run 4 equals it
    #    q1 q1                 run 5: quantized from the first step
    runs = [
        (Phase("float", "f", 6),),
        _run(4, 6, "q1"),
        _run(4, 6, "q2"),
        _run(2, 6, "q1"),
        _run(2, 6, "q1"),
        _run(0, 2, "q1"),
    ]
    tree = Tree(runs)
    drawn = {
        (s.parent.end if s.parent else 0, s.phase, s.first, s.end, tuple(s.runs), s.uses)
        for s in tree.segments
    }
    assert drawn == {
        (0, "float", 0, 2, (), 5),
        (2, "quantized", 2, 6, (3, 4), 2),
        (2, "float", 2, 4, (), 3),
        (4, "quantized", 4, 6, (1,), 1),
        (4, "quantized", 4, 6, (2,), 1),
        (4, "float", 4, 6, (0,), 1),
        (0, "quantized", 0, 2, (5,), 1),
    }
    assert len(tree.segments) == 7
    assert tree.steps_shared == 2 + 4 + 2 + 2 + 2 + 2 + 2
    assert tree.steps_unshared == 6 * 5 + 2


def test_no_runs_make_no_tree():
    tree = Tree([])
    assert (tree.segments, tree.steps_shared, tree.critical_path) == ([], 0, 0)


@given(designs)
def test_the_path_of_a_run_covers_exactly_its_steps(runs):
    tree = Tree(runs)
    assert set(tree.last) == set(range(len(runs)))
    for number, run in enumerate(runs):
        path = tree.last[number].path
        assert [part.first for part in path] == [0, *(part.end for part in path[:-1])]
        assert all(part.steps > 0 for part in path)
        phases = [part.phase for part in path for _ in range(part.steps)]
        assert phases == [phase for phase, _ in history(run)]
        assert number in tree.last[number].runs


@given(designs)
def test_every_different_step_is_trained_once(runs):
    tree = Tree(runs)
    assert tree.steps_shared == distinct_steps(runs)
    assert tree.steps_unshared == sum(len(history(run)) for run in runs)
    assert tree.critical_path == max((len(history(run)) for run in runs), default=0)


@given(designs)
def test_ids_and_states_are_one_to_one(runs):
    tree = Tree(runs)
    named = states(tree, runs)
    assert len({segment.id for segment in tree.segments}) == len(tree.segments)
    assert len(set(named.values())) == len(named) == len(tree.segments)


@given(designs)
def test_uses_are_the_runs_that_pass_through(runs):
    tree = Tree(runs)
    passing = {segment.id: set() for segment in tree.segments}
    for number in range(len(runs)):
        for segment in tree.last[number].path:
            passing[segment.id].add(number)
    for segment in tree.segments:
        assert segment.uses == len(passing[segment.id])
        assert sorted(tree.users(segment)) == sorted(passing[segment.id])
        assert all(child.parent is segment for child in segment.children)


@given(designs, st.randoms(use_true_random=False))
def test_ids_depend_neither_on_the_order_nor_on_the_other_runs(runs, random):
    whole = states(Tree(runs), runs)
    some = random.sample(runs, random.randint(0, len(runs)))
    for state, name in states(Tree(some), some).items():
        # A smaller design cuts at fewer places, never at others.
        assert whole[state] == name


@given(designs)
def test_without_sharing_it_is_the_plain_sum(runs):
    names = [f"run {number}" for number in range(len(runs))]
    tree = Tree(runs, names)
    assert tree.steps_shared == tree.steps_unshared == sum(len(history(run)) for run in runs)
    assert all(segment.uses == 1 for segment in tree.segments)
    assert len({segment.id for segment in tree.segments}) == len(tree.segments)


def test_other_content_of_any_kind_is_another_segment():
    base = (Phase("float", "a", 4), Phase("quantized", "b", 8))
    others = [
        (Phase("quantized", "a", 4), Phase("float", "b", 8)),
        (Phase("float", "A", 4), Phase("quantized", "b", 8)),
        (Phase("float", "a", 4), Phase("quantized", "B", 8)),
        (Phase("float", "a", 3), Phase("quantized", "b", 8)),
        (Phase("float", "a", 4), Phase("quantized", "b", 9)),
    ]
    last = Tree([base]).last[0].id
    assert last not in {Tree([other]).last[0].id for other in others}
    # What comes in between makes another state of the same last phase.
    detour = (*base, Phase("float", "a", 12), Phase("quantized", "b", 16))
    ids = [segment.id for segment in Tree([detour]).last[0].path]
    assert len(set(ids)) == 4
