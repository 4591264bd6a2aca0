"""python, command and recorded targets: outputs, and every way an application can fail."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gitloop.errors import ConfigError, DataError
from gitloop.params import Prompt, parse_prompt
from gitloop.params import Target as TargetPin
from gitloop.records import Answer, Case
from gitloop.targets.command import CommandTarget
from gitloop.targets.python import PythonTarget
from gitloop.targets.recorded import RecordedTarget

CASE = Case("a", input="q {{ x }}", context=None, reference="SECRET", route="refund")
PROMPT = parse_prompt(
    textwrap.dedent(
        """\
        ---
        name: support
        version: "1"
        parameters: {temperature: 0}
        space: {tone: [calm, brisk]}
        ---
        Be {{ tone }}. {{ instructions }}{{ context }}{{ input }} ({{ route }}{{ user_cohort }})"""
    ),
    source="prompts/support.md",
)
RENDERED = "Be calm. q {{ x }} (refund)"


def python(root: Path, body: str, prompt: Prompt | None = PROMPT, **pin: Any) -> PythonTarget:  # noqa: ANN401
    """A target whose function has this body."""
    (root / "app.py").write_text(f"def answer(prompt, row):\n    {body}\n")
    return PythonTarget(TargetPin(callable="app:answer", **pin), prompt, root)


def command(root: Path, source: str, prompt: Prompt | None = PROMPT, **pin: Any) -> CommandTarget:  # noqa: ANN401
    """A target that runs this Python program."""
    (root / "app.py").write_text(textwrap.dedent(source))
    words = (sys.executable, "app.py")
    return CommandTarget(TargetPin(use="command", command=words, **pin), prompt, root)


def answer(target: PythonTarget | CommandTarget | RecordedTarget, case: Case = CASE) -> Answer:
    """The answer to one case."""
    return target.call([target.request(case)])[0]


def test_a_function_gets_the_rendered_prompt_and_the_row(tmp_path: Path) -> None:
    """The prompt's own text is template and the user's is not; the reference stays unseen."""
    target = python(tmp_path, "import json; return json.dumps([prompt, row])", parameters={"k": 1})
    prompt, row = json.loads(answer(target).value["output"])
    assert prompt == RENDERED
    assert row == {
        "input": "q {{ x }}",
        "context": None,
        "route": "refund",
        "user_cohort": None,
        "parameters": {"k": 1, "temperature": 0},
    }


def test_a_target_without_a_prompt_gets_none(tmp_path: Path) -> None:
    """Where params.yaml names no prompt, the function's first argument is None."""
    assert answer(python(tmp_path, "return str(prompt)", None)).value == {"output": "None"}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("raise ValueError('no')", "error", "ValueError: no"),
        ("return None", "error", "the function returned None, not text"),
        ("return 3", "error", "the function returned 3, not text"),
        ("import time; time.sleep(60)", "timeout", "no answer within 0.3 s"),
    ],
)
def test_a_function_that_fails_is_a_status(
    tmp_path: Path, body: str, status: str, words: str
) -> None:
    """An exception, a wrong type and a hang are statuses with a reason."""
    found = answer(python(tmp_path, body, timeout_s=0.3))
    assert (found.status, found.error, found.value) == (status, words, {})


def test_a_functions_answer_has_no_clock_in_it(tmp_path: Path) -> None:
    """No latency is recorded: the same commit must give the same bytes."""
    assert answer(python(tmp_path, "return 'x'")) == Answer("ok", {"output": "x"})


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"version": "2"}, True),
        ({"parameters": {"k": 1}}, True),
        ({"timeout_s": 9.0}, False),
    ],
)
def test_the_request_holds_what_decides_the_answer(
    tmp_path: Path, change: dict[str, Any], differs: bool
) -> None:
    """Version and parameters are part of a call's key, and a time-out is not."""
    one = python(tmp_path, "return 'x'").request(CASE)
    other = python(tmp_path, "return 'x'", **change).request(CASE)
    assert (one != other) == differs


def test_a_command_gets_one_object_and_gives_one(tmp_path: Path) -> None:
    """The row and the rendered prompt are on stdin, the output on stdout."""
    source = """
        import json, sys
        row = json.load(sys.stdin)
        print(json.dumps({"output": json.dumps(row, sort_keys=True)}))
    """
    assert json.loads(answer(command(tmp_path, source)).value["output"]) == {
        "prompt": RENDERED,
        "input": "q {{ x }}",
        "context": None,
        "route": "refund",
        "user_cohort": None,
        "parameters": {"temperature": 0},
    }


@pytest.mark.parametrize(
    ("source", "status", "words"),
    [
        ("raise SystemExit('out of credit')", "error", "exit code 1: out of credit"),
        ("import os; os.kill(os.getpid(), 9)", "error", "exit code -9"),
        ("print('hello')", "unparsed", "it printed 'hello', not"),
        ("pass", "unparsed", "it printed nothing, not"),
        ("print('[1]')", "unparsed", "it printed '[1]', not"),
        ("print('{\"answer\": 1}')", "unparsed", "it printed '{\"answer\": 1}', not"),
        ("print('{\"output\": 1}')", "error", "its output is 1, not text"),
        ("import time; time.sleep(60)", "timeout", "no answer within 0.5 s"),
    ],
)
def test_a_command_that_fails_is_a_status(
    tmp_path: Path, source: str, status: str, words: str
) -> None:
    """Exit codes, signals, prose, wrong shapes and hangs are statuses with a reason."""
    found = answer(command(tmp_path, source, timeout_s=0.5 if status == "timeout" else 30.0))
    assert (found.status, found.value) == (status, {})
    assert found.error.startswith(words)


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    """A word with shell syntax is an argument like any other."""
    (tmp_path / "app.py").write_text('import sys; print(\'{"output": "%s"}\' % sys.argv[1])')
    words = (sys.executable, "app.py", "$(touch hacked); `x`")
    target = CommandTarget(TargetPin(use="command", command=words), None, tmp_path)
    assert answer(target).value == {"output": "$(touch hacked); `x`"}
    assert not (tmp_path / "hacked").exists()


def test_an_edit_of_the_commands_file_is_another_request(tmp_path: Path) -> None:
    """Files of the repository that the command names are part of a call's key."""
    one = command(tmp_path, "pass").request(CASE)
    assert command(tmp_path, "pass  # edited").request(CASE) != one


def test_recorded_outputs_are_looked_up(tmp_path: Path) -> None:
    """By item and replicate; a row that was not recorded, or is empty, is missing."""
    rows = [
        {"item_id": "a", "replicate": 0, "model": "m", "output": "first"},
        {"item_id": "a", "replicate": 1, "model": "m", "output": "second"},
        {"item_id": "a", "replicate": 0, "model": "n", "output": "other"},
        {"item_id": "b", "replicate": 0, "model": "m", "output": None},
    ]
    pl.DataFrame(rows).write_parquet(tmp_path / "o.parquet")
    pin = TargetPin(use="recorded", table="o.parquet", parameters={"where": {"model": "m"}})
    target = RecordedTarget(pin, None, tmp_path)
    asked = [Case("a", ""), Case("a", "", replicate=1), Case("b", ""), Case("c", "")]
    found = target.call([target.request(case) for case in asked])
    assert [one.value.get("output") for one in found] == ["first", "second", None, None]
    assert [one.status for one in found] == ["ok", "ok", "missing", "missing"]


@pytest.mark.parametrize(
    ("pin", "error", "words"),
    [
        (TargetPin(), ConfigError, "target.callable is missing"),
        (TargetPin(use="command"), ConfigError, "target.command is missing"),
        (
            TargetPin(use="command", command=("no-such-program",)),
            ConfigError,
            "there is no program no-such-program",
        ),
        (
            TargetPin(use="command", command=("./app.py",)),
            ConfigError,
            "there is no program ./app.py",
        ),
        (TargetPin(use="recorded"), ConfigError, "target.table is missing"),
        (TargetPin(use="recorded", table="no.parquet"), DataError, "no.parquet does not exist"),
        (TargetPin(use="recorded", table="bad.parquet"), DataError, "not a readable Parquet"),
        (TargetPin(use="recorded", table="other.parquet"), DataError, "no column item_id and no"),
        (TargetPin(use="recorded", table="twice.parquet"), DataError, "two outputs for a"),
        (
            TargetPin(use="recorded", table="twice.parquet", parameters={"were": {}}),
            ConfigError,
            "did you mean where?",
        ),
    ],
)
def test_a_pin_that_lacks_something_is_refused(
    tmp_path: Path, pin: TargetPin, error: type[Exception], words: str
) -> None:
    """What each kind of target needs is named before anything runs."""
    (tmp_path / "app.py").write_text("")
    (tmp_path / "bad.parquet").write_text("no")
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "other.parquet")
    twice = {"item_id": ["a", "a"], "output": ["x", "y"]}
    pl.DataFrame(twice).write_parquet(tmp_path / "twice.parquet")
    kinds = {"python": PythonTarget, "command": CommandTarget, "recorded": RecordedTarget}
    with pytest.raises(error, match=words):
        kinds[pin.use](pin, None, tmp_path)
