"""Random histories of a golden set on a real repository, against a plain dict.

Two branches part, each gets promotions, corrections, retirements and compactions in any order, and
they come together again by a merge, a squash or a rebase, with no driver installed. At every
meeting the rows, the digest, the proof and the naive read must be those of the dict.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitloop.errors import DataError
from gitloop.steps.git.clone import sweep
from gitloop.steps.golden import ChangeRequest, compact, edit, retire
from gitloop.steps.merge import conflicts, resolve
from gitloop.steps.promote import PromoteRequest, promote
from gitloop.steps.verify import verify
from gitloop.storage.golden import digest
from gitloop.workspace import Workspace
from tests.promotable import Failure, failure, make_promotable, write_inputs
from tests.repositories import Repository

POOL = [failure(n) for n in range(12)]
IDS = [found.row_id for found in POOL]

BOTH = ChangeRequest("support", "Promoted on both sides")

Row = tuple[str, str, int]
"""(verdict, reference, promotion) of a row in the model: a row that was retired and promoted again
is not the row that it was."""


@dataclass
class World:
    """A repository with its model: branch → row_id → row."""

    repository: Repository
    models: dict[str, dict[str, Row]] = field(default_factory=dict)
    snapshots: dict[str, dict[str, Row]] = field(default_factory=dict)

    def act(self, branch: str, action: str, number: int) -> None:
        """Do one thing on a branch that is not checked out, in the repository and in the model."""
        self._act(branch, action, number)
        self.snapshots[self.repository.git("rev-parse", branch)] = dict(self.models[branch])

    def _act(self, branch: str, action: str, number: int) -> None:
        model = self.models[branch]
        request = ChangeRequest("support", f"{action} {number}", onto=branch)
        shared = sorted(self.models["base"])  # so that both branches often change one row
        row_id = shared[number % len(shared)] if shared else IDS[number]
        root = self.repository.root
        if action == "promote":
            chosen = [POOL[number % len(POOL)], POOL[(number * 5 + 1) % len(POOL)]]
            self._promote(branch, list({found.trace_id: found for found in chosen}.values()))
        elif action == "compact":
            try:
                compact(root, request)
            except DataError:
                assert len(model) <= len(POOL)
        elif row_id not in model:
            return
        elif action == "retire":
            retire(root, request, [row_id])
            del model[row_id]
        else:
            verdict, reference, born = model[row_id]
            if action == "label":
                verdict = "pass" if verdict == "fail" else "fail"
                edit(root, request, [row_id], [f"labels.grounded={verdict}"])
            else:
                reference = f"reference {number} of {branch}"
                if reference != model[row_id][1]:
                    edit(root, request, [row_id], [f"reference={reference}"])
            model[row_id] = (verdict, reference, born)

    def _promote(self, branch: str, chosen: Sequence[Failure]) -> None:
        write_inputs(self.repository, chosen)
        request = PromoteRequest((), "support", onto=branch, takes_all=True)
        model = self.models[branch]
        new = [found for found in chosen if found.row_id not in model]
        try:
            report = promote(self.repository.root, request)
        except DataError:
            assert new == []
            return
        assert set(report.row_ids) == {found.row_id for found in new}
        for found in new:
            told = f"The right answer to {found.trace_id}."
            model[found.row_id] = ("fail", told, len(self.snapshots))

    def check(self, branch: str) -> None:
        """The branch's set is its model, and it is proved."""
        golden = Workspace(self.repository.root).golden("support", branch)
        assert verify(self.repository.root, branch).findings == ()
        actual = {
            row["row_id"]: (row["labels"][0]["expected"], row["reference"])
            for row in golden.read().iter_rows(named=True)
        }
        assert actual == {row_id: row[:2] for row_id, row in self.models[branch].items()}
        assert golden.sha256() == digest(golden.read())

    def meet(self, how: str, side: str) -> None:
        """Bring "two" into "one", decide conflicts for one side, and let both go on from there."""
        repository, root = self.repository, self.repository.root
        repository.git("checkout", "--quiet", "--force", "one")
        # Two equal changes are one commit under a fixed clock: Git knows best where they parted.
        before = self.snapshots[repository.git("merge-base", "one", "two")]
        expected = _merge(before, self.models["one"], self.models["two"], side)
        if how == "rebase":
            expected = self.models["one"]
            for commit in repository.git("rev-list", "--reverse", "one..two").split():
                self._apply(["cherry-pick", "--allow-empty", commit], side)
                expected = _merge(before, expected, self.snapshots[commit], side)
                before = self.snapshots[commit]
        else:
            options = ["--squash"] if how == "squash" else ["--no-ff", "--no-edit"]
            self._apply(["merge", *options, "two"], side)
        self._mend(expected)
        self.models["one"] = expected
        self.check("one")
        sweep(root)
        if self.models["one"]:
            naive = pl.read_parquet(root / "golden/support/data/*.parquet")
            assert digest(naive) == Workspace(root).golden("support").sha256()
        self.snapshots[repository.git("rev-parse", "one")] = dict(self.models["one"])
        for name in ("two", "base"):
            repository.git("branch", "--force", name, "one")
            self.models[name] = dict(self.models["one"])
        repository.git("checkout", "--quiet", "--force", "--detach", "one")

    def _apply(self, command: list[str], side: str) -> None:
        repository, root = self.repository, self.repository.root
        repository.git(*command, check=False)
        for row in conflicts(root).rows:
            is_gone = (row.ours if side == "ours" else row.theirs) is None
            resolve(root, row.row_id, "delete" if is_gone else side)
        assert repository.git("ls-files", "--unmerged") == ""
        in_progress = [root / ".git" / name for name in ("CHERRY_PICK_HEAD", "MERGE_HEAD")]
        is_staged = repository.git("diff", "--cached", "--name-only") != ""
        if is_staged or any(path.exists() for path in in_progress):
            repository.commit("Meet")

    def _mend(self, expected: dict[str, Row]) -> None:
        """Do what the proof asks for after a clean merge in which Git could not see the rows.

        A row that both sides promoted stands twice; one that was retired here and compacted there
        is back. Both are found, and a correction, a compaction or a retirement mends them.
        """
        root = self.repository.root
        for row_id in self._disputed():
            assert self._is_told("too: run gitloop golden compact")
            verdict, reference, _ = expected.get(row_id, ("fail", "to be retired", 0))
            cells = [f"labels.grounded={verdict}", f"reference={reference}"]
            self._forward(edit(root, BOTH, [row_id], cells).branch)
        if self._is_told("too: run gitloop golden compact"):
            self._forward(compact(root, BOTH).branch)
        returned = sorted(set(self._read()) - set(expected))
        for row_id in returned:
            # Retired here, retired and promoted again there: in a new part, Git keeps it.
            born = {name: self.models[name].get(row_id) for name in ("one", "two", "base")}
            again = [row for row in (born["one"], born["two"]) if row not in (None, born["base"])]
            if again and again[0] is not None and not self._is_told("back"):
                expected[row_id] = again[0]
        returned = [row_id for row_id in returned if row_id not in expected]
        if returned:
            assert self._is_told("back")
            self._forward(retire(root, BOTH, returned).branch)

    def _disputed(self) -> list[str]:
        """Rows that stand in two parts with different content."""
        golden = Workspace(self.repository.root).golden("support", "one")
        found: dict[str, set[str]] = {}
        for part in golden.parts():
            for row_id, sha in golden.row_digests(part).items():
                found.setdefault(row_id, set()).add(sha)
        return sorted(row_id for row_id, shas in found.items() if len(shas) > 1)

    def _is_told(self, words: str) -> bool:
        findings = verify(self.repository.root, "one").findings
        return any(words in finding.fact for finding in findings)

    def _forward(self, branch: str | None) -> None:
        self.repository.git("merge", "--quiet", "--ff-only", str(branch))
        self.repository.git("branch", "--quiet", "-D", str(branch))

    def _read(self) -> list[str]:
        rows = Workspace(self.repository.root).golden("support", "one").read()
        return rows["row_id"].to_list()


def _merge(
    base: dict[str, Row], ours: dict[str, Row], theirs: dict[str, Row], side: str
) -> dict[str, Row]:
    """What the two make of the base, cell by cell; `side` wins where both changed a cell."""
    merged = {}
    for row_id in {*base, *ours, *theirs}:
        old, one, two = base.get(row_id), ours.get(row_id), theirs.get(row_id)
        if two in (one, old):
            row = one
        elif one == old:
            row = two
        elif one is None or two is None or old is None:
            row = one if side == "ours" else two
        else:
            chosen = one if side == "ours" else two
            cells = [
                b if a == o else a if b == o else c
                for o, a, b, c in zip(old[:2], one[:2], two[:2], chosen[:2], strict=True)
            ]
            row = (str(cells[0]), str(cells[1]), chosen[2])
        if row is not None:
            merged[row_id] = row
    return merged


ACTIONS = st.tuples(
    st.sampled_from(["one", "two"]),
    st.sampled_from(["promote", "promote", "label", "reference", "retire", "compact"]),
    st.integers(0, 11),
)
ROUNDS = st.lists(
    st.tuples(
        st.lists(ACTIONS, min_size=1, max_size=5),
        st.sampled_from(["merge", "squash", "rebase"]),
        st.sampled_from(["ours", "theirs"]),
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.slow
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rounds=ROUNDS)
def test_any_history_ends_where_the_dict_ends(
    tmp_path: Path, rounds: list[tuple[list[tuple[str, str, int]], str, str]]
) -> None:
    """Promote, correct, retire, compact, merge, squash, rebase: no row is lost, none comes back."""
    world = World(Repository.create(Path(tempfile.mkdtemp(dir=tmp_path)) / "repository"))
    make_promotable(world.repository, POOL[:4])
    for name in ("one", "two", "base"):
        world.repository.git("branch", name)
        world.models[name] = {}
    world.act("base", "promote", 0)
    for name in ("one", "two"):
        world.repository.git("branch", "--force", name, "base")
        world.models[name] = dict(world.models["base"])
    for actions, how, side in rounds:
        for branch, action, number in actions:
            world.act(branch, action, number)
        world.check("one")
        world.check("two")
        world.meet(how, side)
