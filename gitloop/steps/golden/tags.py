"""Tags that DVC and GTO read: `support@v2026.5.3+54ccb8` is the set's third version of that May."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitloop.core.golden import registry_version
from gitloop.errors import ConfigError, DataError
from gitloop.params import parse_pipeline
from gitloop.storage.golden import GoldenSet
from gitloop.storage.trees import CommitTree
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class TagReport:
    """A version that has a tag.

    Attributes:
        set: The golden set.
        version: Its version, e.g. "2026.05-54ccb8".
        tag: The tag, e.g. "support@v2026.5.3+54ccb8".
        commit: The commit that it names.
        is_new: Whether it was made now.
    """

    set: str
    version: str
    tag: str
    commit: str
    is_new: bool


def tag(
    directory: Path, names: Sequence[str], *, revision: str | None = None, pushes: bool = False
) -> list[TagReport]:
    """Give the version that each set has at the commit an annotated tag in GTO's form.

    The tag's name follows from the records alone, so whoever makes it makes the same. A version
    that has its tag keeps it, wherever it points.

    Args:
        directory: A directory in the work tree.
        names: The sets; () for every set that has a version.
        revision: The commit, or None for HEAD.
        pushes: Whether the tags are pushed to the first remote; those that are there already too.

    Raises:
        ConfigError: dvc.yaml of that commit names no such artifact: `dvc artifacts get` would fail.
        DataError: There is no such set, it is empty, or its rows are not those of its record.
    """
    workspace = Workspace(directory)
    commit = workspace.git.resolve(revision or "HEAD")
    tree = CommitTree(workspace.git, commit)
    chosen = list(names) or _named(tree)
    _require_artifacts(tree, chosen)
    tags = workspace.git.tags()
    reports = []
    for name in chosen:
        golden = workspace.golden(name, commit)
        version, label = _label(golden, is_asked=bool(names))
        if label is None:
            continue
        is_new = label not in tags
        if is_new:
            message = f"Golden set {name} {version}\n\nDataset digest {golden.sha256()}\n"
            workspace.git.tag(label, commit, message, at=workspace.now())
        reports.append(TagReport(name, version, label, tags.get(label, commit), is_new))
    if pushes and reports:
        workspace.git.push([f"refs/tags/{report.tag}" for report in reports])
    return reports


def _named(tree: CommitTree) -> list[str]:
    paths = tree.files("golden")
    return sorted({path.split("/")[1] for path in paths if path.endswith("/dataset.yaml")})


def _label(golden: GoldenSet, *, is_asked: bool) -> tuple[str, str | None]:
    """The set's version and its tag; None where a set that nobody asked for has no version yet."""
    if not golden.exists():
        raise DataError(f"there is no golden set {golden.name}", hint="run: gitloop golden list")
    version, records = golden.version(), golden.records()
    if not version:
        if is_asked:
            raise DataError(f"golden set {golden.name} has no version yet", hint="gitloop promote")
        return "", None
    sha256, heads = golden.sha256(), golden.heads()
    if len(heads) == 1 and heads[0].dataset_sha256 != sha256:
        raise DataError(
            f"the rows of {golden.name} are not those of its record", hint="run: gitloop verify"
        )
    return version, f"{golden.name}@{registry_version([r.version for r in records], sha256)}"


def _require_artifacts(tree: CommitTree, names: Sequence[str]) -> None:
    """Refuse a commit whose dvc.yaml does not say where the sets lie."""
    source = "dvc.yaml"
    known = {}
    if tree.has(source):
        known = parse_pipeline(tree.read([source])[0].decode(), source=source).artifacts
    absent = []
    for name in names:
        entry = known.get(name)
        if not isinstance(entry, dict) or entry.get("path") != f"golden/{name}/data":
            absent.append(name)
    if absent:
        entries = (f"{name}: {{path: golden/{name}/data, type: dataset}}" for name in absent)
        lines = "".join(f"\n    {entry}" for entry in entries)
        raise ConfigError(
            f"dvc.yaml of {tree.name} has no artifact {' and '.join(absent)},"
            " so dvc artifacts get would not find a version",
            hint=f"add to dvc.yaml, and commit:\n  artifacts:{lines}",
        )
