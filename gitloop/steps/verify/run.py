"""Prove a commit, a range of commits, or the work tree."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from gitloop.core.verify import Finding, PartFacts, SetFacts, check_set, has_conflict
from gitloop.digests import dataset_digest
from gitloop.errors import DataError, GitloopError, MissingObjectError
from gitloop.params import golden_pins
from gitloop.protocols import Progress, silent
from gitloop.records import GoldenRecord
from gitloop.steps.verify.replay import GATE, replay_gate
from gitloop.storage.golden import SCHEMA, GoldenSet, Part
from gitloop.storage.lineage import parse_record, version_of
from gitloop.storage.trees import CommitTree, Tree, WorkTree
from gitloop.workspace import Workspace

_TEXT_FOLDERS = ("golden", "labels", "rubrics", "prompts", "loop", "data")
_TEXT_FILES = ("params.yaml", "dvc.yaml", "dvc.lock", ".gitattributes", ".gitloop/gitconfig")
_TEXT_ENDINGS = (".yaml", ".yml", ".json", ".jsonl", ".dvc", ".md", ".lock")
_MOST_ATTRIBUTED = 20


@dataclass(frozen=True, slots=True)
class SetSummary:
    """A golden set that was looked at.

    Attributes:
        name: The set.
        version: Its version; both heads' after a merge.
        sha256: Dataset digest, or None where not every part could be read.
        n_rows: Rows in the parts that could be read.
        n_parts: Parts.
    """

    name: str
    version: str
    sha256: str | None
    n_rows: int
    n_parts: int


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was proved, or what is wrong.

    Attributes:
        what: What was looked at: "the work tree", a commit, or a range.
        commits: Commits looked at; () for the work tree.
        sets: The golden sets of the last tree looked at.
        findings: Everything that is not as it must be.
    """

    what: str
    commits: tuple[str, ...]
    sets: tuple[SetSummary, ...]
    findings: tuple[Finding, ...]


def verify(
    directory: Path,
    revision: str | None = None,
    *,
    replays_gate: bool = False,
    progress: Progress = silent,
) -> VerifyReport:
    """Look at every golden set, record and pointer of a tree, and at what the gate says it read.

    Args:
        directory: A directory in the work tree.
        revision: A commit, a range "A..B" (each commit of its first-parent line), or None for the
            work tree.
        replays_gate: Derive the gate result of the (last) commit once more and compare the bytes;
            HEAD's for the work tree.
        progress: Told how far it has come.

    Raises:
        ToolError: There is no such commit.
    """
    workspace = Workspace(directory)
    if revision is None:
        sets, findings = _verify_tree(workspace, WorkTree(workspace.root))
        findings += _data_files(workspace, [found.name for found in sets])
        head = workspace.git.head()
        findings += replay_gate(workspace, head) if replays_gate and head else []
        told = _attributed(workspace, head, findings)
        return VerifyReport("the work tree", (), sets, told)
    commits = _commits(workspace, revision)
    every: dict[tuple[str, str], Finding] = {}
    sets = ()
    for number, commit in enumerate(commits, start=1):
        sets, findings = _verify_tree(workspace, CommitTree(workspace.git, commit))
        for finding in findings:
            seen_in = replace(finding, commit=commit[:12])
            every.setdefault((finding.path, finding.fact), seen_in)
        progress("verifying", number, len(commits))
    told = tuple(every.values())
    if len(commits) == 1:
        told = _attributed(workspace, commits[0], told)
    if replays_gate and commits:
        told = (*told, *replay_gate(workspace, commits[-1]))
    return VerifyReport(revision, tuple(commits), sets, told)


def _commits(workspace: Workspace, revision: str) -> list[str]:
    if ".." not in revision:
        return [workspace.git.resolve(revision)]
    first, _, last = revision.partition("..")
    start, end = (workspace.git.resolve(name or "HEAD") for name in (first, last.lstrip(".")))
    listed = workspace.git.text("rev-list", "--first-parent", "--reverse", f"{start}..{end}")
    return listed.split()


def _verify_tree(workspace: Workspace, tree: Tree) -> tuple[tuple[SetSummary, ...], list[Finding]]:
    torn = _conflicts(tree)
    findings: list[Finding] = []
    names = sorted({path.split("/")[1] for path in tree.files("golden") if path.count("/") > 1})
    sets, digests = [], {}
    for name in names:
        golden = GoldenSet(tree, workspace.dvc, workspace.root, name)
        if not golden.pointer_paths() and not golden.record_paths() and not golden.exists():
            continue  # what another branch left in data/
        summary, facts, found = _look_at(golden, tree)
        findings += found
        sets.append(summary)
        digests[name] = facts
    findings += _lost_records(workspace, tree, {summary.name for summary in sets})
    findings += _gate(workspace, tree, digests)
    told = {finding.path for finding in torn}
    findings = [*torn, *(finding for finding in findings if finding.path not in told)]
    return tuple(sets), findings


def _conflicts(tree: Tree) -> list[Finding]:
    paths = [path for folder in _TEXT_FOLDERS for path in tree.files(folder)]
    paths = [path for path in paths if path.endswith(_TEXT_ENDINGS)]
    paths += [path for path in _TEXT_FILES if tree.has(path)]
    contents = zip(paths, tree.read(paths), strict=True)
    return [
        Finding(path, "holds the markers of an unresolved conflict")
        for path, content in contents
        if has_conflict(content)
    ]


def _look_at(golden: GoldenSet, tree: Tree) -> tuple[SetSummary, SetFacts, list[Finding]]:
    """The facts of one set, and what stood in the way of reading them."""
    findings: list[Finding] = []
    if not golden.exists():
        findings.append(Finding(golden.path, "has no dataset.yaml"))
    else:
        try:
            golden.spec()
        except GitloopError as error:
            findings.append(_told(f"{golden.path}/dataset.yaml", error))
    records = _records(golden, tree, findings)
    parts = _pointers(golden, tree, findings)
    with suppress(MissingObjectError):  # each part that is missing is told below
        golden.fetch([part for part in parts if not _is_damaged(golden, part)])
    golden.remember([part for part in parts if _is_at_hand(golden, part)])
    sound = [found for part in parts if (found := _part(golden, part, findings)) is not None]
    facts = _facts(golden, sound)
    is_whole = len(facts) == len(golden.pointer_paths()) and len(records) == len(
        golden.record_paths()
    )
    rows = [sha for part in facts for sha in part.rows.values()]
    seen = SetFacts(golden.name, facts, records, dataset_digest(rows, SCHEMA), is_whole)
    version = version_of(records)
    summary = SetSummary(
        golden.name, version, seen.sha256 if is_whole else None, len(rows), len(parts)
    )
    return summary, seen, findings + check_set(seen)


def _is_damaged(golden: GoldenSet, part: Part) -> bool:
    try:
        golden.locate(part)
    except DataError:
        return True
    return False


def _is_at_hand(golden: GoldenSet, part: Part) -> bool:
    return not _is_damaged(golden, part) and golden.locate(part) is not None


def _records(golden: GoldenSet, tree: Tree, findings: list[Finding]) -> list[GoldenRecord]:
    found, paths = [], golden.record_paths()
    for path, content in zip(paths, tree.read(paths), strict=True):
        try:
            found.append(parse_record(content, source=path))
        except DataError as error:
            findings.append(_told(path, error))
    return found


def _pointers(golden: GoldenSet, tree: Tree, findings: list[Finding]) -> list[Part]:
    found, paths = [], golden.pointer_paths()
    for path, content in zip(paths, tree.read(paths), strict=True):
        try:
            found.append(golden.part(path, content))
        except DataError as error:
            findings.append(_told(path, error))
    return found


def _part(
    golden: GoldenSet, part: Part, findings: list[Finding]
) -> tuple[Part, dict[str, str]] | None:
    """The part and its row digests, or None, with a finding, where it cannot be read."""
    try:
        path = golden.locate(part)
        if path is None:
            told = f"{part.data_path} is neither in the cache nor on a remote"
            findings.append(Finding(part.pointer_path, told))
            return None
        if part.pointer.size not in (None, path.stat().st_size):
            told = f"says {part.pointer.size} bytes, but its object has {path.stat().st_size}"
            findings.append(Finding(part.pointer_path, told))
        return part, golden.row_digests(part)
    except DataError as error:
        findings.append(_told(part.pointer_path, error))
        return None


def _facts(golden: GoldenSet, parts: list[tuple[Part, dict[str, str]]]) -> list[PartFacts]:
    """What the parts hold, read together."""
    if not parts:
        return []
    names = ["group_id", "split", "promoted_in", "set"]
    held: dict[str, set[tuple[str, ...]]] = {}
    try:
        table = golden.scan([part for part, _ in parts], names)
    except DataError:  # parts of different schema versions are read one by one
        table = pl.concat([golden.scan([part], names) for part, _ in parts])
    for md5, *cells in table.unique().iter_rows():
        held.setdefault(md5, set()).add(tuple(cells))
    facts = []
    for part, rows in parts:
        values = held.get(part.pointer.md5, set())
        groups: dict[str, frozenset[str]] = {}
        for group, split, _, _ in values:
            groups[group] = groups.get(group, frozenset()) | {split}
        facts.append(
            PartFacts(
                id=part.id,
                path=part.pointer_path,
                md5=part.pointer.md5,
                rows=rows,
                groups=groups,
                records=frozenset(record for *_, record, _ in values),
                sets=frozenset(name for *_, name in values),
            )
        )
    return facts


def _lost_records(workspace: Workspace, tree: Tree, names: set[str]) -> list[Finding]:
    """Records of the commits before that are gone or were rewritten: they are for ever."""
    found = []
    for parent in _parents(workspace, tree):
        before = CommitTree(workspace.git, parent)
        for path in before.files("golden"):
            pieces = path.split("/")
            if pieces[1] not in names or pieces[2] != "log" or not path.endswith(".yaml"):
                continue
            if not tree.has(path):
                found.append(Finding(path, f"is gone; {parent[:12]} had it"))
            elif tree.blob(path) != before.blob(path):
                found.append(Finding(path, f"was rewritten after {parent[:12]}"))
    return found


def _parents(workspace: Workspace, tree: Tree) -> list[str]:
    if isinstance(tree, CommitTree):
        return workspace.git.text("rev-parse", f"{tree.sha}^@").split()
    head = workspace.git.head()
    return [head] if head else []


def _gate(workspace: Workspace, tree: Tree, sets: dict[str, SetFacts]) -> list[Finding]:
    """Whether the gate read the sets that this tree holds."""
    if not tree.has(GATE):
        return []
    try:
        value = json.loads(tree.read([GATE])[0])
        recorded = {name: str(entry["sha256"]) for name, entry in value["datasets"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return [Finding(GATE, "is no gate result")]
    found = []
    for name, sha256 in sorted(recorded.items()):
        facts = sets.get(name)
        if facts is None:
            found.append(Finding(GATE, f"read the set {name}, which is not here"))
            continue
        try:
            expected = _expected(workspace, tree, facts)
        except DataError as error:
            found.append(_told("params.yaml", error))
            continue
        if expected is not None and sha256 != expected:
            told = f"read {name} {sha256[:12]}, but the set is {expected[:12]}: run dvc repro"
            found.append(Finding(GATE, told))
    return found


def _expected(workspace: Workspace, tree: Tree, facts: SetFacts) -> str | None:
    """The digest that the gate must have read: the set's own, or that of the pinned version.

    None where parts are missing, which is told already.

    Raises:
        DataError: No record and no commit tells the pinned version.
    """
    text = tree.read(["params.yaml"])[0] if tree.has("params.yaml") else b""
    pin = golden_pins(text.decode(errors="replace")).get(facts.name)
    if pin is None:
        return facts.sha256 if facts.is_whole else None
    made = (record.dataset_sha256 for record in facts.records if record.version == pin)
    revision = tree.sha if isinstance(tree, CommitTree) else None
    try:
        return next(made, None) or workspace.golden_at(facts.name, pin, revision).sha256()
    except MissingObjectError:
        return None


def _data_files(workspace: Workspace, names: Iterable[str]) -> list[Finding]:
    """Files in data/ that no pointer names, or that are not what their pointer says."""
    found = []
    for name in names:
        golden = GoldenSet(WorkTree(workspace.root), workspace.dvc, workspace.root, name)
        try:
            parts = golden.parts()
        except DataError:
            continue  # told already, with its pointer
        for path in golden.strays():
            told = "no pointer names it, and a naive read counts it: run gitloop git sweep"
            found.append(Finding(path.relative_to(workspace.root).as_posix(), told))
        for part in parts:
            path = workspace.root / part.data_path
            if path.is_file() and not workspace.dvc.is_intact(path, part.pointer.md5):
                told = "is not what its pointer says: run dvc checkout"
                found.append(Finding(part.data_path, told))
    return found


def _attributed(
    workspace: Workspace, revision: str | None, findings: Iterable[Finding]
) -> tuple[Finding, ...]:
    """The findings, the first of them with the commit that last touched their path."""
    findings = tuple(findings)
    if revision is None:
        return findings
    commits: dict[str, str] = {}
    for path in list(dict.fromkeys(f.path for f in findings))[:_MOST_ATTRIBUTED]:
        listed = workspace.git.text("log", "-1", "--format=%H", revision, "--", path)
        commits[path] = listed[:12]
    return tuple(replace(f, commit=commits.get(f.path, "")) for f in findings)


def _told(path: str, error: GitloopError) -> Finding:
    """The error as a finding about the path, without saying the path twice."""
    fact = error.message.splitlines()[0].removeprefix(path).lstrip(": ").rstrip(":")
    return Finding(path, fact)
