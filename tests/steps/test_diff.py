"""Golden sets of two revisions, compared without a checkout."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from gitloop.cli.main import invoke
from gitloop.errors import ConfigError, DataError, ToolError
from gitloop.plugins import load
from gitloop.steps.diff import DiffRequest, diff, is_empty
from gitloop.steps.golden import ChangeRequest, compact, edit, retire
from gitloop.steps.promote import PromoteRequest, promote
from gitloop.storage.dvc import parse_pointer
from tests.promotable import failure, make_promotable, write_inputs
from tests.repositories import Repository

FAILURES = [failure(n) for n in range(4)]
IDS = [found.row_id for found in FAILURES]


@pytest.fixture
def history(repository: Repository) -> Repository:
    """main: four rows in one part, then a second part; "side": a correction and a retirement."""
    make_promotable(repository, FAILURES)
    first = promote(repository.root, PromoteRequest((), "support", takes_all=True))
    repository.git("merge", "--quiet", str(first.branch))
    repository.git("tag", "start")
    request = ChangeRequest("support", "a test", onto="side")
    edit(repository.root, request, IDS[:2], ["labels.grounded=pass"])
    edit(repository.root, request, IDS[:1], ["reference=better"])
    retire(repository.root, request, IDS[3:])
    write_inputs(repository, [failure(9)])
    second = promote(repository.root, PromoteRequest((), "support", takes_all=True))
    repository.git("merge", "--quiet", str(second.branch))
    return repository


def only(value: dict[str, Any]) -> dict[str, Any]:
    """The entry of the one set that differs."""
    (entry,) = value["sets"]
    found: dict[str, Any] = entry
    return found


def counts(value: dict[str, Any]) -> tuple[int, int, int]:
    """Rows retired, changed and added."""
    entry = only(value)["counts"]
    return entry["retired"], entry["changed"], entry["added"]


def test_branch_is_compared_with_where_it_parted(history: Repository) -> None:
    """As in a pull request: what main did meanwhile is no change of the branch."""
    value = diff(history.root, DiffRequest("main", "side"))
    assert counts(value) == (1, 2, 0)
    entry = only(value)
    assert [(f["rubric"], f["before"], f["after"], f["n"]) for f in entry["flips"]] == [
        ("grounded", "fail", "pass", 2)
    ]
    assert [(c["column"], c["after"]) for c in entry["cells"]] == [("reference", "better")]
    assert entry["retired"][0]["row_id"] == IDS[3]


@pytest.mark.parametrize(
    "request_",
    [
        DiffRequest("main", "side", is_direct=True),
        DiffRequest("main..side"),
    ],
)
def test_two_dots_compare_the_two_themselves(history: Repository, request_: DiffRequest) -> None:
    """Directly compared, the branch lacks what main has."""
    assert counts(diff(history.root, request_)) == (2, 2, 0)


def test_work_tree_is_the_default_end(history: Repository) -> None:
    """A pointer that was changed and not committed is part of the diff."""
    assert is_empty(diff(history.root, DiffRequest()))
    history.git("checkout", "side", "--", "golden")
    assert counts(diff(history.root, DiffRequest())) == (1, 2, 0)


def test_compaction_is_no_row_change(history: Repository) -> None:
    """Parts that were joined are told as re-encoded, with 0 row changes."""
    report = compact(history.root, ChangeRequest("support", "tidy"))
    value = diff(history.root, DiffRequest("main", report.branch))
    assert (counts(value), only(value)["counts"]["reencoded_parts"]) == ((0, 0, 0), 2)
    assert is_empty(value)
    assert "0 row changes (2 parts re-encoded)" in load("reports", "text")().render(value)


def test_only_parts_that_differ_are_read(history: Repository) -> None:
    """The object of a part that both sides share need not even be there."""
    (path,) = history.git("ls-tree", "--name-only", "start", "golden/support/parts/").splitlines()
    pointer = parse_pointer(history.git("show", f"start:{path}").encode(), source=path)
    cache = history.root / ".dvc/cache/files/md5"
    (cache / pointer.md5[:2] / pointer.md5[2:]).unlink()
    assert counts(diff(history.root, DiffRequest("start", "main"))) == (0, 0, 1)


def test_where_limit_and_set_narrow_the_diff(history: Repository) -> None:
    """Rows without the value are not looked at; lists are cut; an unknown set is told."""
    request = DiffRequest("main", "side", where={"row_id": IDS[0]})
    assert counts(diff(history.root, request)) == (0, 1, 0)
    value = diff(history.root, DiffRequest("main", "side", limit=0))
    assert (only(value)["retired"], counts(value)) == ([], (1, 2, 0))
    with pytest.raises(DataError, match="no golden set other"):
        diff(history.root, DiffRequest("main", "side", set_name="other"))
    with pytest.raises(ConfigError, match="no column rout"):
        diff(history.root, DiffRequest(where={"rout": "x"}))
    with pytest.raises(ToolError, match="not a commit"):
        diff(history.root, DiffRequest("nowhere"))


def told(value: dict[str, Any], form: str) -> str:
    """The document in a form."""
    text: str = load("reports", form)().render(value)
    return text


def test_text_fits_a_terminal_and_keeps_the_order(history: Repository) -> None:
    """Retired rows come first, then flips, cells and added rows, in at most 80 columns."""
    lines = told(diff(history.root, DiffRequest("main..side")), "text").splitlines()
    assert max(map(len, lines)) <= 80
    marks = [line[:2] for line in lines if line[:2] in ("- ", "~ ", "+ ")]
    assert marks == sorted(marks, key=["- ", "~ ", "+ "].index)
    assert "~ grounded: fail → pass (2 rows)" in lines


def test_markdown_tells_counts_and_no_text_of_users(history: Repository) -> None:
    """A comment can be found again, starts with the counts and quotes nobody."""
    text = told(diff(history.root, DiffRequest("main", "side")), "md")
    assert text.startswith("<!-- gitloop diff -->\n")
    assert "| support | 1 | 2 | 0 |" in text
    assert "grounded: fail → pass (2 rows)" in text
    assert not any(word in text for word in ("how do I", "better", "I cannot help"))


def test_html_needs_nothing_and_runs_nothing(history: Repository) -> None:
    """The page has no script and no link, and what users wrote is text in it."""
    request = ChangeRequest("support", "a test", onto="attack")
    edit(history.root, request, IDS[:1], ["reference=<script>alert(1)</script>"])
    page = told(diff(history.root, DiffRequest("main", "attack")), "html")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page


def test_escape_codes_never_reach_the_terminal(history: Repository) -> None:
    """Control characters in a cell are shown as dots."""
    request = ChangeRequest("support", "a test", onto="attack")
    edit(history.root, request, IDS[:1], ["reference=a\x1b[31mred"])
    text = told(diff(history.root, DiffRequest("main", "attack")), "text")
    assert "\x1b" not in text
    assert "a·[31mred" in text


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["main", "side"], 0),
        (["main", "side", "--exit-code"], 1),
        (["main", "main", "--exit-code"], 0),
        (["main", "side", "--stat"], 0),
        (["main", "side", "--where", "route"], 4),
        (["main", "side", "--where", "nope=1"], 4),
        (["nowhere"], 1),
        (["main", "side", "--set", "other"], 5),
        (["main", "side", "--format", "yaml"], 4),
    ],
)
def test_command_ends_with_its_code(history: Repository, args: list[str], code: int) -> None:
    """`gitloop diff` tells by its exit code what happened."""
    assert invoke(["diff", "-C", str(history.root), *args]) == code


def test_json_lines_are_one_set_each(
    history: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """The machine forms are versioned JSON, whole or a set per line."""

    def lines(form: str) -> Iterable[str]:
        invoke(["diff", "-C", str(history.root), "main", "side", "--format", form])
        return capsys.readouterr().out.splitlines()

    assert json.loads("\n".join(lines("json")))["schema"] == "gitloop.diff/v1"
    assert [json.loads(line)["set"] for line in lines("jsonl")] == ["support"]
