"""`gitloop optimize --apply` and `gitloop prompt`: a branch with the prompt's diff, and no more."""

from __future__ import annotations

import json

import pytest

from gitloop.cli.main import invoke
from gitloop.core.optimize import prompt_file
from gitloop.errors import DataError, StaleError, WorkspaceError
from gitloop.params import next_version, parse_prompt
from gitloop.records import Candidate
from gitloop.steps.optimize import optimize, propose
from gitloop.steps.prompt import diff_prompts, render_prompt
from gitloop.workspace import Workspace
from tests.repositories import Repository
from tests.steps.test_optimize import PROMPT, USELESS, searchable

LEDGER = "loop/optimize/ledger.jsonl"


@pytest.fixture
def proposed(repository: Repository) -> Repository:
    """A repository in which a search has found something."""
    optimize(searchable(repository).root)
    return repository


def test_a_proposal_is_a_branch_with_one_file_changed(proposed: Repository) -> None:
    """The prompt gains its line and a version; index, work tree and HEAD are as before."""
    before, head = proposed.status(), proposed.git("rev-parse", "HEAD")
    proposal = propose(proposed.root)
    assert (proposed.status(), proposed.git("rev-parse", "HEAD")) == (before, head)
    assert proposed.git("diff", "--stat", "HEAD", proposal.branch, "--name-only").split() == [
        "prompts/support.md"
    ]
    text = proposed.git("show", f"{proposal.branch}:prompts/support.md")
    found = parse_prompt(text, source="proposed")
    assert (found.version_id, found.head.instructions) == ("support@2", ("Name the days.",))
    assert 'lines: ["Name the days.", "Be kind.", "Be vague."]' in text


def test_line_ends_of_another_system_stay(repository: Repository) -> None:
    """The branch changes the lines that it changes, and no line end."""
    searchable(repository)
    repository.git("config", "core.autocrlf", "false")
    text = PROMPT.format(lines='["Name the days."]').replace("\n", "\r\n")
    repository.gen({"prompts/support.md": text}, commit="From another system")
    optimize(repository.root)
    found = repository.git("diff", "--numstat", "HEAD", propose(repository.root).branch)
    assert found.split() == ["3", "1", "prompts/support.md"]


def test_the_body_tells_gain_rows_and_lineage(proposed: Repository) -> None:
    """Interval, detectable gain, rows fixed and broken, golden version, rubric and judge."""
    body = propose(proposed.root).body
    version = Workspace(proposed.root).golden("support").version()
    for said in ("+0.900", "18 | 0", "Fixed", "Broken: none", version, "brief 1 by local"):
        assert said in body
    assert (
        "+- Name the days." in body or '+  - "Name the days."' in body or "Name the days." in body
    )


def test_a_second_proposal_of_the_same_is_refused(proposed: Repository) -> None:
    """The branch is there, and stays as it is."""
    propose(proposed.root)
    with pytest.raises(WorkspaceError, match="there already"):
        propose(proposed.root)


def test_without_a_proposal_there_is_nothing_to_apply(repository: Repository) -> None:
    """No search, or one that found nothing, makes no branch."""
    searchable(repository, lines=USELESS)
    with pytest.raises(DataError, match="no search has run"):
        propose(repository.root)
    optimize(repository.root)
    with pytest.raises(DataError, match="nothing to propose: no improvement"):
        propose(repository.root)


def test_a_prompt_that_moved_on_makes_the_proposal_stale(proposed: Repository) -> None:
    """What was found for another prompt is proposed for none."""
    proposed.gen({"prompts/support.md": PROMPT.format(lines="[]").replace("Answer", "Tell")})
    with pytest.raises(StaleError, match="has changed"):
        propose(proposed.root)


def test_what_nobody_committed_is_proposed_by_nobody(repository: Repository) -> None:
    """A search may start from an edited prompt; a branch with that edit in it is refused."""
    searchable(repository)
    edited = PROMPT.format(lines='["Name the days."]').replace("Answer", "Tell")
    repository.gen({"prompts/support.md": edited})
    optimize(repository.root)
    with pytest.raises(WorkspaceError, match=r"support\.md has changes that no commit holds"):
        propose(repository.root)
    repository.commit("Tell", "prompts/support.md")
    assert "+version: '2'" in propose(repository.root).diff.replace('"', "'")


def test_a_look_is_counted_once_and_its_level_shrinks(proposed: Repository) -> None:
    """The same look again is the same look; another finalist on the same holdout pays more."""
    first = json.loads(proposed.read("loop/optimize/metrics.json"))["look"]
    ledger = proposed.read(LEDGER)
    optimize(proposed.root)
    assert proposed.read(LEDGER) == ledger
    assert first == {"number": 1, "alpha": pytest.approx(0.0304, abs=1e-4)}
    other = PROMPT.format(lines='["Name the days.", "Be kind."]').replace("Answer", "Tell")
    proposed.gen({"prompts/support.md": other})
    report = optimize(proposed.root)
    assert report.look is not None
    assert report.look.number == 2
    assert report.look.alpha == pytest.approx(0.0076, abs=1e-4)
    assert len(proposed.read(LEDGER).splitlines()) == 2


def test_a_damaged_ledger_is_refused_and_left_alone(repository: Repository) -> None:
    """A ledger that cannot be read is no ledger without looks."""
    searchable(repository)
    repository.gen({LEDGER: "<<<<<<< ours\n"})
    with pytest.raises(DataError, match=r"ledger\.jsonl:1"):
        optimize(repository.root)
    assert repository.read(LEDGER) == "<<<<<<< ours\n"


@pytest.mark.parametrize(
    ("version", "raised"), [("1", "2"), ("1.9", "1.10"), ("v2-beta", "v3-beta"), ("new", "new.1")]
)
def test_a_version_is_raised_by_its_last_number(version: str, raised: str) -> None:
    """Whatever form a team's versions have."""
    assert next_version(version) == raised


def test_a_rewritten_file_keeps_comments_and_order() -> None:
    """Only version, instructions, values and body change; the rest stays to the letter."""
    text = """---
# ours
name: p
version: "1"  # bump me
lines:
  - a  # first
instructions: [old]
frozen: []
---
Body {{ instructions }}
"""
    prompt = parse_prompt(text, source="p.md").changed(Candidate(("new: {x}",)), version="2")
    made = prompt_file(text, prompt)
    assert parse_prompt(made, source="made") == prompt
    assert made.startswith("---\n# ours\nname: p\n")
    assert "lines:\n  - a  # first\n" in made


def test_a_prompt_is_rendered_as_the_target_gets_it(proposed: Repository) -> None:
    """For a row, for a text, and for a candidate's file, with braces in the text left alone."""
    assert render_prompt(proposed.root, None, "{{ x }}").text.startswith("Answer {{ x }}.")
    found = render_prompt(proposed.root, None)
    assert found.row_id is not None
    assert found.text.startswith(("Answer holdout", "Answer val", "Answer train"))
    name = json.loads(proposed.read("loop/optimize/metrics.json"))["finalist"]
    text = render_prompt(proposed.root, None, "x", f"loop/optimize/candidates/{name}.md").text
    assert "- Name the days." in text
    with pytest.raises(DataError, match="no golden row begins with zzz"):
        render_prompt(proposed.root, "zzz")


def test_a_prompt_diff_tells_what_the_application_notices(proposed: Repository) -> None:
    """Instructions, placeholders, and whether the version was bumped with the text."""
    proposal = propose(proposed.root)
    found = diff_prompts(proposed.root, "HEAD", proposal.branch)
    assert (found.before, found.after, found.is_sent, found.is_bumped) == (
        "support@1",
        "support@2",
        True,
        True,
    )
    assert (found.added, found.removed, found.variables_added) == (("Name the days.",), (), ())
    assert not diff_prompts(proposed.root).diff


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["optimize", "--body"], 4),
        (["optimize", "--apply"], 0),
        (["optimize", "--apply", "--body"], 0),
        (["prompt", "render", "--input", "x"], 0),
        (["prompt", "render", "a", "--input", "x"], 4),
        (["prompt", "render", "zzz"], 5),
        (["prompt", "diff"], 0),
        (["prompt", "diff", "nowhere"], 1),
    ],
)
def test_exit_codes(
    proposed: Repository, args: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each way of asking has its exit code, and says something."""
    assert invoke([*args, "-C", str(proposed.root)]) == code
    said = capsys.readouterr()
    assert said.out or said.err
