"""`gitloop gate` and `gitloop baseline` on the command line: arguments in, exit codes out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitloop.cli.main import invoke
from gitloop.params import JudgePin
from tests.gate_cases import golden
from tests.gated import PARAMS, RUBRIC, Gated, gated
from tests.repositories import Repository
from tests.steps.test_gate_trials import repository

N = 60
GOOD: list[float | str | None] = [1.0] * N


@pytest.fixture
def place(tmp_path: Path) -> Gated:
    """A repository with a golden set of sixty rows, scored once, with no baseline."""
    made = gated(tmp_path / "repo")
    made.promote(golden(N))
    made.score(golden(N), GOOD)
    made.commit("Score")
    return made


def run(place: Gated, *args: str) -> int:
    """The exit code of `gitloop -C … args`."""
    return invoke(["-C", str(place.root), *args])


@pytest.mark.parametrize(
    ("figures", "flags", "code"),
    [
        (GOOD, [], 0),
        (GOOD, ["--strict"], 3),
        ([0.0] * N, [], 2),
        ([0.0] * N, ["--strict"], 2),
        ([None] * 6 + GOOD[6:], [], 6),
        (["timeout"] * 6 + GOOD[6:], [], 7),
        (["missing"] * 6 + GOOD[6:], [], 5),
        ([None] * 6 + [0.0] * (N - 6), [], 6),
    ],
)
def test_check_turns_the_verdict_into_an_exit_code(
    place: Gated, figures: list[float | str | None], flags: list[str], code: int
) -> None:
    """The stage exits 0 whatever it finds; `--check` exits 0, 2, 3, 5, 6 or 7."""
    place.score(golden(N), figures)
    assert run(place, "gate") == 0
    assert run(place, "gate", "--check", *flags) == code


def test_a_failed_delta_exits_2(place: Gated) -> None:
    """After `gitloop baseline`, a run that loses twelve of sixty rows is blocked."""
    assert run(place, "baseline") == 0
    place.score(golden(N), [0.0] * 12 + [1.0] * (N - 12), ["no"] * N)
    assert run(place, "gate") == 0
    assert run(place, "gate", "--check") == 2


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["gate", "--strict"], 4),
        (["gate", "--check"], 5),
        (["gate", "--format", "xml"], 4),
        (["gate", "--nonsense"], 4),
        (["baseline", "--window-days", "0"], 4),
        (["baseline", "--main", "nowhere"], 1),
    ],
)
def test_wrong_use(place: Gated, args: list[str], code: int) -> None:
    """Usage errors exit 4, missing data 5, a branch that is not there 1."""
    assert run(place, *args) == code


@pytest.mark.parametrize(
    "policy",
    [
        "{assertions: [{metric: pas_rate, value: 0.5}]}",
        "{assertions: [{metric: pass_rate, rubric: grunded, value: 0.5}]}",
        "{floors: {grunded: 0.5}}",
        "{alhpa: 0.05}",
    ],
)
def test_a_misspelt_policy_exits_4(place: Gated, policy: str) -> None:
    """A metric, rubric or key that does not exist is never a pass."""
    place.repository.gen({"params.yaml": f"{PARAMS}gate: {policy}\n"})
    assert run(place, "gate") == 4


def test_an_assertion_without_results_exits_5(place: Gated) -> None:
    """A runtime that nobody measured cannot be asserted."""
    policy = "gate: {assertions: [{metric: runtime_p95, op: '<=', value: 2}]}\n"
    place.repository.gen({"params.yaml": PARAMS + policy})
    assert run(place, "gate") == 0
    assert run(place, "gate", "--check") == 5


@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("text", "WARN  "),
        ("json", "{"),
        ("md", "<!-- gitloop gate -->"),
        ("junit", "<?xml"),
        ("sarif", "{"),
        ("github", "::"),
        ("gitlab", "["),
    ],
)
def test_every_format(
    place: Gated, form: str, start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--format` prints the verdict in each form, from the recorded gate.json."""
    run(place, "gate")
    capsys.readouterr()
    assert run(place, "gate", "--check", "--format", form) == 0
    assert capsys.readouterr().out.startswith(start)


def test_the_json_form_is_the_file(place: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    """`--format json` prints what gate.json holds."""
    run(place, "gate")
    capsys.readouterr()
    run(place, "gate", "--check", "--format", "json")
    assert json.loads(capsys.readouterr().out) == json.loads(
        place.repository.read("loop/gate/gate.json")
    )


def test_no_line_is_over_80_columns(place: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    """The terminal's table fits the terminal."""
    run(place, "baseline")
    place.score(golden(N), [0.0] * 12 + [1.0] * (N - 12), ["no"] * N)
    run(place, "gate")
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["gate", "--aa"], 0),
        (["gate", "--aa", "--repeats", "1"], 4),
        (["gate", "--aa", "--check"], 4),
        (["gate", "--prove"], 0),
        (["gate", "power"], 0),
        (["gate", "power", "--loss", "0"], 4),
        (["gate", "--aa", "--format", "json"], 0),
    ],
)
def test_trials_of_the_gate(tmp_path: Path, args: list[str], code: int) -> None:
    """--aa, --prove and power end with the code of what they found."""
    assert run(repository(tmp_path / "repo", JudgePin()), *args) == code


def test_a_gate_that_cannot_fail_exits_2(tmp_path: Path) -> None:
    """--prove says no where broken outputs pass unnoticed."""
    rubric = RUBRIC.replace("{metric: contains}", '{metric: contains, none: ["zebra"]}')
    made = Gated(Repository.create(tmp_path / "repo"), rubric)
    made.promote(golden(N))
    made.score(golden(N), GOOD)
    assert run(made, "gate", "--prove") == 2


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("evaluations: [{template: tone}]\nthresholds: {default_pass_rate: 0.8}\n", 0),
        ("evaluations: [{template: tone}]\nassertions: [{template: tome, conditions: []}]\n", 4),
        ("evaluations: [", 4),
    ],
)
def test_import_fi(tmp_path: Path, text: str, code: int) -> None:
    """A file that carries over exits 0 and is written; a slip in it exits 4 and writes nothing."""
    source, output = tmp_path / "fi-evaluation.yaml", tmp_path / "gate.yaml"
    source.write_text(text, encoding="utf-8")
    assert invoke(["import-fi", str(source), "-o", str(output)]) == code
    assert output.exists() == (code == 0)
