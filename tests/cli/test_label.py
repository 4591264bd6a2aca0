"""The commands that label, compare and calibrate, as a shell runs them."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import signal
import sys
from pathlib import Path

import pytest

from gitloop.cli.main import invoke
from gitloop.storage.labels import append_labels, read_labels, render_label
from tests.labelled import label, label_all, labelled_repository
from tests.repositories import Repository


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Sixty labelled traces; two people agree."""
    repository = labelled_repository(tmp_path_factory.mktemp("calibrated"))
    label_all(repository)
    return repository


@pytest.fixture
def unlabelled(tmp_path: Path) -> Repository:
    """Four traces and no label."""
    return labelled_repository(tmp_path / "repository", 4)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["agree"], 0),
        (["agree", "--by", "route", "--format", "json"], 0),
        (["agree", "--by", "colour"], 4),
        (["agree", "--rubric", "polite"], 4),
        (["calibrate"], 0),
        (["calibrate", "--format", "json", "-q"], 0),
        (["calibrate", "--card"], 0),
        (["calibrate", "--card", "--format", "html"], 0),
        (["calibrate", "--card", "--rubric", "polite"], 4),
        (["calibrate", "--format", "md"], 4),
        (["calibrate", "--card", "--history"], 4),
        (["calibrate", "--by", "route"], 4),
        (["calibrate", "--estimate", "10", "--by", "route"], 0),
        (["calibrate", "--history"], 5),
        (["labels"], 4),
        (["labels", "export"], 0),
        (["labels", "export", "--to", "csv"], 0),
        (["labels", "import"], 4),
        (["labels", "import", "nowhere.csv"], 4),
        (["label", "--as", "a/b"], 4),
        (["label", "--sample", "0"], 4),
        (["label", "--as", "amara"], 5),
    ],
)
def test_exit_codes_with_labels(calibrated: Repository, args: list[str], code: int) -> None:
    """Each command ends with the code that DESIGN.md gives it."""
    assert invoke([*args, "-C", str(calibrated.root)]) == code


@pytest.mark.parametrize("args", [["agree"], ["calibrate"]])
def test_exit_codes_without_labels(unlabelled: Repository, args: list[str]) -> None:
    """Nothing to compare and nothing to calibrate on are faults of the data."""
    assert invoke([*args, "-C", str(unlabelled.root)]) == 5


def test_keys_in_the_terminal(
    unlabelled: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """p, f, s and q work from a pipe as well; every answer is saved; results are on stdout."""
    monkeypatch.setattr("sys.stdin", io.StringIO("f\nno such office\nthirty days\nx\ns\np\n\nq\n"))
    args = ["label", "--terminal", "--as", "amara", "--sample", "4", "--format", "json"]
    assert invoke([*args, "-C", str(unlabelled.root)]) == 0
    told = capsys.readouterr()
    report = json.loads(told.out)
    found = read_labels(unlabelled.root).sort("label")
    assert (report["n_labelled"], report["n_skipped"]) == (2, 1)
    assert found["label"].to_list() == ["fail", "pass"]
    assert found["comment"].to_list() == ["no such office", None]
    assert found["reference"].to_list() == ["thirty days", None]
    assert "'x' is none of p, f, s, q" in told.err


def test_a_pipe_that_ends_is_no_answer(
    unlabelled: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the input ends the session; nothing is made up."""
    monkeypatch.setattr("sys.stdin", io.StringIO("p\n"))
    args = ["label", "--terminal", "--as", "amara", "--sample", "4"]
    assert invoke([*args, "-C", str(unlabelled.root)]) == 0
    assert read_labels(unlabelled.root).height == 1


@pytest.mark.slow
@pytest.mark.parametrize("last", ["\x03", "f\x03"])
def test_ctrl_c_ends_a_session_in_a_real_terminal(unlabelled: Repository, last: str) -> None:
    """At a key and in a sentence, as q does: what was answered is committed, the rest is not."""
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs the tests may ignore it
        args = ["-m", "gitloop", "label", "--terminal", "--as", "amara", "--sample", "4"]
        os.chdir(unlabelled.root)
        os.execv(sys.executable, [sys.executable, *args])  # noqa: S606 -- this very Python
    press(terminal, "", "[q]uit")
    press(terminal, "p", "why?")
    press(terminal, "\n", "[q]uit")
    if last.startswith("f"):
        press(terminal, "f", "why?")
        os.write(terminal, b"half a sentence")
    shown = press(terminal, last[-1], "amara: 1 labelled")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, shown
    assert unlabelled.git("log", "-1", "--format=%s").strip() == "Label 1 item as amara"


def press(terminal: int, keys: str, mark: str) -> str:
    """What the terminal shows up to the mark; keys typed before it listens are lost, as in life."""
    shown = ""
    while mark not in shown:
        os.write(terminal, keys.encode())
        while mark not in shown and select.select([terminal], [], [], 0.3)[0]:
            try:
                shown += os.read(terminal, 4096).decode(errors="replace")
            except OSError:  # how Linux tells that the other side has ended
                return shown
    return shown


def test_a_trace_does_not_steer_the_terminal(
    unlabelled: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Escape sequences in what a person reads are made visible."""
    told = "\x1b[2Jall clear"
    append_labels(unlabelled.root, "amara", [label("t000", "pass", comment=told)])
    append_labels(unlabelled.root, "bo", [label("t000", "fail", "bo")])
    monkeypatch.setattr("sys.stdin", io.StringIO("q\n"))
    args = [
        "label",
        "--terminal",
        "--senior",
        "--as",
        "chen",
        "--no-color",
        "-C",
        str(unlabelled.root),
    ]
    assert invoke(args) == 0
    shown = capsys.readouterr().err
    assert "all clear" in shown
    assert "\x1b" not in shown


def test_import_tells_what_it_did(
    unlabelled: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report names the files that grew and the next command."""
    path = tmp_path / "given.jsonl"
    path.write_text(render_label(label("t000", "fail")), encoding="utf-8")
    assert invoke(["labels", "import", str(path), "-C", str(unlabelled.root)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 labels read: 1 new (0 replace older ones), 0 there already",
        "  labels/amara.jsonl: 1 lines",
        "next: git add labels, then gitloop agree",
    ]


def test_lines_fit_a_terminal(calibrated: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """No line of agree or calibrate is wider than 80 columns."""
    for command in ("agree", "calibrate"):
        invoke([command, "-C", str(calibrated.root), "--no-color"])
        lines = capsys.readouterr().out.splitlines()
        assert lines
        assert [line for line in lines if len(line) > 80] == []


def test_stars_are_one_key_each(
    unlabelled: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rubric with stars takes a digit, and any other key is told."""
    rubric = unlabelled.read("rubrics/grounded.yaml") + "label: {type: star}\n"
    unlabelled.gen({"rubrics/grounded.yaml": rubric}, commit="Stars")
    monkeypatch.setattr("sys.stdin", io.StringIO("9\n4\n\nthirty days\nq\n"))
    args = ["label", "--terminal", "--as", "amara", "--sample", "4", "-C", str(unlabelled.root)]
    assert invoke(args) == 0
    told = capsys.readouterr()
    (row,) = read_labels(unlabelled.root).to_dicts()
    assert (row["label"], row["score"], row["reference"]) == ("4", 0.75, "thirty days")
    assert "'9' is none of 1, 2, 3, 4, 5, s, q" in told.err
    assert "committed as" in told.out


def test_numbers_are_written(unlabelled: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number is a line; one that the rubric does not take is asked again."""
    form = "label: {type: numeric, worst: 0, best: 10}\n"
    rubric = unlabelled.read("rubrics/grounded.yaml") + form
    unlabelled.gen({"rubrics/grounded.yaml": rubric}, commit="Numbers")
    monkeypatch.setattr("sys.stdin", io.StringIO("12\n7.5\n\n\nq\n"))
    args = ["label", "--terminal", "--as", "amara", "--sample", "4", "-C", str(unlabelled.root)]
    assert invoke(args) == 0
    (row,) = read_labels(unlabelled.root).to_dicts()
    assert (row["label"], row["score"]) == ("7.5", 0.75)


def test_without_the_extra_the_page_says_what_to_install(
    unlabelled: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing library ends in exit 4, with the command that mends it."""
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    for name in [name for name in sys.modules if name.startswith("gitloop.pages.label")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "gitloop.steps.label.page", raising=False)
    monkeypatch.delitem(sys.modules, "gitloop.steps.label.desk", raising=False)
    args = ["label", "--as", "amara", "--sample", "4", "-C", str(unlabelled.root)]
    assert invoke(args) == 4
    assert "pip install 'gitloop[label]'" in capsys.readouterr().err


def test_sections_of_the_guidance_are_asked_for(
    unlabelled: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The terminal asks which sections decided, by number; what is no number is asked again."""
    told = "guidance: |\n  # Sources\n  Only the\n  context.\n\n  # Numbers\n  Digit by digit.\n"
    rubric = unlabelled.read("rubrics/grounded.yaml")
    rubric = rubric.replace("guidance: Fail whatever the context does not say.\n", told)
    unlabelled.gen({"rubrics/grounded.yaml": rubric}, commit="Sections")
    monkeypatch.setattr("sys.stdin", io.StringIO("p\n\n3\n2, 1\np\n\n\nq\n"))
    args = ["label", "--terminal", "--as", "amara", "--sample", "4", "-C", str(unlabelled.root)]
    assert invoke(args) == 0
    found = read_labels(unlabelled.root)["sections"].to_list()
    assert sorted(found, key=str) == [None, ["numbers", "sources"]]
    shown = capsys.readouterr().err
    assert "[2] Numbers" in shown
    assert "  # Sources\n  Only the context.\n" in shown
    assert "'3' is not numbers from 1 to 2" in shown


def test_where_nothing_is_to_be_asked_no_page_opens(
    unlabelled: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """A senior without a dispute is told so, at once, with exit 0 and no server."""
    args = ["label", "--senior", "--as", "chen", "--no-browser", "-C", str(unlabelled.root)]
    assert invoke(args) == 0
    told = capsys.readouterr()
    assert "nothing to ask: annotators disagree on nothing" in told.out
    assert "http" not in told.err


@pytest.mark.parametrize(
    "args",
    [
        ["--order", "boundary", "--sample", "3"],
        ["--order", "boundary", "--kind", "golden_row"],
        ["--order", "beauty"],
    ],
)
def test_an_order_is_about_failures(unlabelled: Repository, args: list[str]) -> None:
    """It excludes other choices of cases, and rows that are no failures."""
    assert invoke(["label", "--as", "amara", *args, "-C", str(unlabelled.root)]) == 4
