"""Completion in real shells; those that are not installed are skipped."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from qbench.cli.completion import described, script, values
from qbench.cli.main import VERBS, main

BREAKS = " \t\n\"'><=;|&(:"  # bash's own


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shell") / "completion.bash"
    path.write_text(script("bash", VERBS))
    return path


def completed(
    bash: Path, line: str, *, breaks: str = BREAKS, folder: Path | None = None
) -> set[str]:
    """What bash offers at the end of the line."""
    words, last = [], ""
    for sign in line:  # as bash divides a line: "=" and ":" are words of their own
        if sign in breaks:
            words += [last] if last else []
            words += [sign] if sign not in " " else []
            last = ""
        else:
            last += sign
    words.append(last)
    listed = " ".join(f"'{word}'" for word in words)
    run = f"""
        source {bash}
        COMP_LINE='{line}' COMP_POINT={len(line)} COMP_WORDS=({listed}) COMP_CWORD={len(words) - 1}
        COMP_WORDBREAKS=$1
        _qbench
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-uc", run, "bash", breaks],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=folder,
    )
    assert done.stderr == ""
    return set(done.stdout.split("\n")) - {""}


def test_sourcing_registers_it_and_it_has_no_error(bash: Path) -> None:
    asked = f"source <(cat {bash}); complete -p qbench"
    done = subprocess.run(["bash", "-uc", asked], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("complete -F _qbench qbench\n", "")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("qbench sw", {"sweep"}),
        ("qbench sweep study=dig", {"digits"}),
        ("qbench sweep model=resnet8", {"resnet8"}),
        ("qbench sweep quant.op=qdq_v2,fa", {"qdq_v2,fake_quant"}),
        ("qbench train train/optimizer=sg", {"sgd"}),
        ("qbench sweep quant.rou", {"quant.rounding="}),
        ("qbench sweep quant.signed=", {"true", "false"}),
        ("qbench sweep deploy.ena", {"deploy.enabled="}),
        ("qbench sweep track=", {"tensorboard", "null"}),
        ("qbench train train.optimizer.mom", {"train.optimizer.momentum="}),
        ("qbench export x ml", {"mlflow"}),
        ("qbench completion ", {"bash", "zsh", "fish"}),
        ("qbench status --wa", {"--watch"}),
        ("qbench recommend --max", {"--max-size", "--max-latency"}),
    ],
)
def test_bash_completes(bash: Path, line: str, offered: set[str], tmp_path: Path) -> None:
    assert completed(bash, line, folder=tmp_path) == offered


def test_bash_completes_a_whole_word_where_equals_signs_divide_none(bash: Path) -> None:
    assert completed(bash, "qbench sweep study=dig", breaks=" ") == {"study=digits"}


def test_bash_completes_paths(bash: Path, tmp_path: Path) -> None:
    (tmp_path / "out puts").mkdir()
    (tmp_path / "sweep.txt").touch()
    assert completed(bash, "qbench status ", folder=tmp_path) == {"out puts", "sweep.txt"}
    assert completed(bash, "qbench sweep out=ou", folder=tmp_path) == {"out puts"}
    assert "data.dir=" in completed(bash, "qbench sweep ", folder=tmp_path)
    assert "sweep.txt" not in completed(bash, "qbench sweep ", folder=tmp_path)


def test_words_are_complete() -> None:
    known, verbs = values(), described(VERBS)
    assert {"study", "model", "seeds", "quant.bits", "train.optimizer.momentum"} <= set(known)
    assert "digits" in known["study"] and known["data.preprocessing"]
    assert verbs["latency"].overrides and verbs["latency"].paths and not verbs["sweep"].paths
    assert set(verbs) == set(VERBS)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_read_their_script(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / f"completion.{shell}"
    path.write_text(script(shell, VERBS))
    done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes(tmp_path: Path) -> None:
    path = tmp_path / "completion.fish"
    path.write_text(script("fish", VERBS))
    for line, offered in (("qbench sweep study=dig", "study=digits"), ("qbench sta", "status")):
        asked = f"source {path}; complete -C '{line}'"
        done = subprocess.run(["fish", "-c", asked], capture_output=True, text=True, timeout=60)
        assert [text.partition("\t")[0] for text in done.stdout.splitlines()] == [offered]


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    assert "complete -F _qbench qbench" in capsys.readouterr().out
    assert main(["completion", "powershell"]) == 2
    assert capsys.readouterr().err.endswith("one of bash, zsh, fish.\n")
