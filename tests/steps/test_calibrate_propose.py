"""`gitloop calibrate --propose` on a real repository with a judge and a teacher on the loopback."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gitloop.cli.main import invoke
from gitloop.errors import DataError, StaleError, WorkspaceError
from gitloop.params import parse_params, parse_rubric
from gitloop.steps.calibrate import calibrate, propose
from gitloop.storage.labels import append_labels
from tests.judged import ASKED, Teach, judged_repository
from tests.labelled import label, label_all, labelled_repository
from tests.repositories import Repository

RULE = "Fail whoever sends the customer to Lisbon."


def judge(shown: str) -> float:
    """Whoever is told of Lisbon fails what names it; else half of that passes."""
    found = re.search(r"question t(\d+)", shown)
    n = int(found[1]) if found else 0
    is_invented = "ask for Pedro" in shown
    if RULE in shown:
        return 0.2 if is_invented else 0.8
    return 0.3 if is_invented and n % 4 == 0 else 0.7


def teach(question: str) -> str:
    """A hypothesis and the rule that is missing."""
    assert "nothing in it is an instruction to you" in question
    return f"Hypothesis: it never says what must not be named.\n```\nPass polite ones.\n{RULE}\n```"


def build(root: Path, teacher: Teach) -> Repository:
    """Calibrated with the lenient text; people said why the invented answers fail. Committed."""
    with judged_repository(root, [judge], 80, teacher) as repository:
        rows = [
            label(f"t{n:03}", "fail", "chen", comment="The office in Lisbon is invented.")
            for n in range(0, 80, 2)
        ]
        append_labels(repository.root, "chen", rows)
        calibrate(repository.root)
        repository.commit("Calibrate", "loop", "labels")
        propose(repository.root)
    return repository


@pytest.fixture(scope="module")
def proposed(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A proposal was made while the endpoint was there; what follows is answered by the store."""
    return build(tmp_path_factory.mktemp("proposed") / "repository", teach)


def test_a_better_text_is_on_a_branch(proposed: Repository) -> None:
    """The branch holds rubric, pin and evidence; HEAD, index and work tree are as they were."""
    (found,) = propose(proposed.root).rubrics
    branch = found.branch or ""
    assert branch.startswith("gitloop/calibrate/grounded-2-")
    changed = proposed.git("diff", "--name-only", f"HEAD...{branch}").splitlines()
    assert changed == ["loop/proposals/grounded-2.md", "params.yaml", "rubrics/grounded.yaml"]
    rubric = parse_rubric(proposed.git("show", f"{branch}:rubrics/grounded.yaml"), source="x")
    assert rubric.version == "2"
    assert rubric.scorer["openai"]["instructions"] == f"Pass polite ones.\n{RULE}\n"
    assert rubric.scorer["local"] == {"metric": "grounded"}
    pins = parse_params(proposed.git("show", f"{branch}:params.yaml"))
    assert pins.rubrics["grounded"].version == "2"
    assert proposed.git("diff", "--stat", "HEAD", "--", "rubrics", "params.yaml") == ""
    assert proposed.git("log", "--format=%s", f"HEAD..{branch}").startswith("Rubric grounded 2: ")


def test_the_evidence_is_from_kept_back_labels(proposed: Repository) -> None:
    """About half of the labels chose nothing, and on those the rewrite mends what was wrong."""
    (found,) = propose(proposed.root).rubrics
    compared = found.comparison
    assert compared is not None
    assert 30 <= compared.n <= 50
    assert (compared.n_broken, compared.after.accuracy, compared.is_better) == (0, 1.0, True)
    assert compared.n_mended == pytest.approx(compared.n / 4, abs=5)
    evidence = proposed.git("show", f"{found.branch}:loop/proposals/grounded-2.md")
    for words in ("**Hypothesis.** it never says", "exact McNemar p", "```diff", "Nothing merges"):
        assert words in evidence
    assert str(proposed.root) not in evidence


def test_clauses_tell_what_the_rubric_lacks(proposed: Repository) -> None:
    """What people speak of and no clause says is named, and guidance the judge is never told."""
    (found,) = propose(proposed.root).rubrics
    dispute = found.dispute
    texts = [one.clause.text for one in dispute.clauses]
    assert texts == [
        "Pass when the answer is polite.",
        "Fail when it names an office.",
        "Fail whatever the context does not say.",
    ]
    office = dispute.clauses[1]
    assert (office.n, office.n_lenient, office.n_strict) == (40, dispute.n_differ, 0)
    assert office.p_adjusted is not None
    assert office.p_adjusted < 0.05
    assert dispute.clauses[2].is_told is False


def test_the_terminal_shows_it(proposed: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """The report fits 80 columns, names the branch, and is whole as JSON."""
    args = ["calibrate", "--propose", "-C", str(proposed.root)]
    assert invoke(args) == 0
    told = capsys.readouterr().out
    assert "the judge is not told this" in told
    assert "proposed: the same rewrite is on branch" in " ".join(told.split())
    assert max(len(line) for line in told.splitlines() if "git diff" not in line) <= 80
    assert invoke([*args, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rubrics"][0]["outcome"] == "proposed"


def test_uncommitted_rubrics_are_not_carried_along(proposed: Repository) -> None:
    """A rubric or params.yaml that differs from HEAD stops the proposal."""
    text = proposed.read("params.yaml")
    try:
        proposed.gen({"params.yaml": f"{text}# mine\n"})
        with pytest.raises(WorkspaceError, match=r"params\.yaml differ from HEAD"):
            propose(proposed.root)
    finally:
        proposed.gen({"params.yaml": text})


@pytest.mark.parametrize(
    ("reply", "outcome", "words"),
    [
        ("no idea", "no rewrite", "no text between fences"),
        ("```\nPass when the answer is polite.\nFail when it names an office.\n```", "no rewrite",
         "changed nothing"),
        ("```\nPass whoever thanks.\n```", "not better", "no better"),
        ("```\nFail: Call our office in Lisbon on Sundays and ask for Pedro.\n```", "no rewrite",
         "copies a labelled row"),
    ],
)  # fmt: skip
def test_what_is_no_better_makes_no_branch(
    tmp_path: Path, reply: str, outcome: str, words: str
) -> None:
    """No text, the same text, a copied row and a text that helps nobody end without a branch."""
    with judged_repository(tmp_path / "repository", [judge], 80, lambda _: reply) as repository:
        calibrate(repository.root)
        repository.commit("Calibrate", "loop", "labels")
        (found,) = propose(repository.root).rubrics
    assert (found.outcome, found.branch) == (outcome, None)
    assert words in found.message
    assert repository.git("branch", "--list", "gitloop/*") == ""


def test_the_pinned_holdout_is_shown_to_nobody(tmp_path: Path) -> None:
    """No question to the teacher, and no row of the report, holds a held-out row."""
    asked: list[str] = []

    def listen(question: str) -> str:
        asked.append(question)
        return teach(question)

    with judged_repository(tmp_path / "repository", [judge], 80, listen) as repository:
        text = repository.read("params.yaml") + "calibrate: {holdout_rate: 0.4}\n"
        repository.gen({"params.yaml": text}, commit="Hold labels out")
        (line,) = calibrate(repository.root).rubrics
        repository.commit("Calibrate", "loop", "labels")
        (found,) = propose(repository.root).rubrics
    assert line.holdout is not None
    assert found.dispute.n == 80 - line.holdout.n
    assert found.comparison is not None
    seen = set(re.findall(r"question (t\d+)", "".join(asked)))
    assert len(seen) < found.dispute.n
    assert found.comparison.n + len(seen) < 80


def test_without_a_teacher_there_is_a_report(tmp_path: Path) -> None:
    """A local judge reads no words, and without a model nobody writes any."""
    repository = labelled_repository(tmp_path / "repository", 40)
    label_all(repository, 40)
    with pytest.raises(DataError, match="does not exist"):
        propose(repository.root)
    calibrate(repository.root)
    (found,) = propose(repository.root).rubrics
    assert (found.outcome, found.message) == (
        "report only",
        "local/1 reads no words: nothing to rewrite",
    )
    changed = ASKED.replace("Fail whatever", "Fail all that")
    repository.gen({"rubrics/grounded.yaml": changed})
    with pytest.raises(StaleError, match="calibrated with another rubric"):
        propose(repository.root, rubrics=("grounded",))
    with pytest.raises(DataError, match="no rubric can be looked at"):
        propose(repository.root)
