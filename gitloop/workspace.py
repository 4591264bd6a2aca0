"""An opened checkout: its root, parameters, Git, DVC and tables. It has no verbs."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import polars as pl

from gitloop.errors import ConfigError, DataError, StaleError, WorkspaceError
from gitloop.params import (
    CALL_MODES,
    OPTIMIZE_FILE,
    Params,
    Pipeline,
    Prompt,
    Rubric,
    golden_pins,
    parse_params,
    parse_pipeline,
    parse_prompt,
    parse_rubric,
    with_openings,
)
from gitloop.schema import Table
from gitloop.storage import parquet
from gitloop.storage.dvc import Dvc
from gitloop.storage.files import read_text
from gitloop.storage.git import GitRepository
from gitloop.storage.golden import GoldenSet
from gitloop.storage.golden_versions import at_version, commit_of
from gitloop.storage.strays import sweep
from gitloop.storage.trees import CommitTree, Tree, WorkTree

_log = logging.getLogger("gitloop")


class Workspace:
    """A gitloop repository's checkout.

    Args:
        start: A directory in it.

    Raises:
        WorkspaceError: Not in a Git repository, a bare one, or `gitloop init` was not run.
    """

    def __init__(self, start: Path) -> None:
        self.git = GitRepository(start)
        self.root = self.git.root
        self.dvc = Dvc(self.root, self.git.common_dir)
        if not (self.root / "params.yaml").is_file():
            raise WorkspaceError("this repository has no params.yaml", hint="run: gitloop init")

    @property
    def params(self) -> Params:
        """params.yaml, checked."""
        return self._configuration[0]

    @property
    def pipeline(self) -> Pipeline:
        """dvc.yaml, checked; an absent one has no stages."""
        return self._configuration[1]

    @property
    def calls_mode(self) -> str:
        """The call store's mode: `GITLOOP_CALLS_MODE`, or what params.yaml says.

        The variable lets CI replay where it has no secrets, without a change of a pinned parameter.

        Raises:
            ConfigError: The variable names no mode.
        """
        mode = os.environ.get("GITLOOP_CALLS_MODE") or self.params.calls.mode
        if mode not in CALL_MODES:
            raise ConfigError(
                f"GITLOOP_CALLS_MODE is {mode!r}, not {', '.join(CALL_MODES)}",
                hint="unset it, or set it to one of these",
            )
        return mode

    def check_configuration(self) -> None:
        """Refuse faults in params.yaml and dvc.yaml even where neither decides the result."""
        _ = self._configuration

    @cached_property
    def _configuration(self) -> tuple[Params, Pipeline]:
        """Both files, checked together: the faults of both are told at once."""
        faults: list[ConfigError] = []
        params, pipeline = Params(), Pipeline()
        try:
            params = parse_params(read_text(self.root / "params.yaml"))
        except ConfigError as error:
            faults.append(error)
        path = self.root / "dvc.yaml"
        try:
            pipeline = parse_pipeline(read_text(path)) if path.is_file() else pipeline
        except ConfigError as error:
            faults.append(error)
        if faults:
            told = "\n".join(error.message for error in faults)
            raise ConfigError(told, hint=faults[0].hint) from faults[0]
        return params, pipeline

    def under(self, params: Params) -> Workspace:
        """The same checkout under other parameters; params.yaml stays as it is."""
        other = copy.copy(self)
        other.__dict__["_configuration"] = (params, self.pipeline)
        return other

    def rubric(self, name: str) -> Rubric:
        """The rubric that params.yaml pins.

        Raises:
            ConfigError: No such file, a fault in it, or its version is not the pinned one.
        """
        source = f"rubrics/{name}.yaml"
        if not (self.root / source).is_file():
            raise ConfigError(
                f"{source} does not exist", hint="create it, or unpin it in params.yaml"
            )
        rubric = parse_rubric(read_text(self.root / source), source=source)
        pin = self.params.rubrics.get(name)
        if rubric.name != name:
            raise ConfigError(
                f"{source} is named {rubric.name}", hint=f"edit {source}: name: {name}"
            )
        if pin is not None and pin.version != rubric.version:
            raise ConfigError(
                f"{source} is version {rubric.version}, but params.yaml pins {pin.version}",
                hint=f"edit params.yaml: rubrics.{name}.version",
            )
        return rubric

    def prompt(self) -> Prompt | None:
        """The target's prompt, with what optimize.yaml opens of it; None where it has none."""
        source = self.params.target.prompt
        if source is None:
            return None
        if not (self.root / source).is_file():
            raise ConfigError(f"{source} does not exist", hint="edit params.yaml: target.prompt")
        prompt = parse_prompt(read_text(self.root / source), source=source)
        openings = self.root / OPTIMIZE_FILE
        if not openings.is_file():
            return prompt
        known = frozenset(path.stem for path in openings.parent.glob("*.md"))
        return with_openings(prompt, read_text(openings), known | {prompt.head.name})

    def golden(self, name: str, revision: str | None = None) -> GoldenSet:
        """A golden set in the work tree, or as a commit holds it.

        A part of another branch that a switch left in data/ is moved away first, with a word.
        """
        golden = GoldenSet(self._tree(revision), self.dvc, self.root, name)
        if revision is None:
            for path in sweep(self.root, self.dvc, only=name, brings=False).moved:
                _log.warning("gitloop: moved %s away: no pointer names it", path)
        return golden

    def _tree(self, revision: str | None) -> Tree:
        return WorkTree(self.root) if revision is None else CommitTree(self.git, revision)

    def golden_in_use(self, name: str, revision: str | None = None) -> GoldenSet:
        """A golden set as the gate uses it: at the version that params.yaml pins, else as it is.

        A pinned set may grow; whoever scores, gates or optimizes does not notice. Of a commit, its
        own params.yaml decides.

        Raises:
            StaleError: Neither the set's records nor any commit tell the pinned version.
        """
        pinned = self._golden_pins(revision).get(name)
        golden = self.golden(name, revision)
        if pinned is None or not golden.exists():
            return golden
        try:
            return self.golden_at(name, pinned, revision)
        except DataError as error:
            raise StaleError(
                f"golden set {name} is at version {golden.version() or '(empty)'}, but params.yaml"
                f" pins {pinned}, which no record and no commit here tells",
                hint=f"run: gitloop log {name}, then: gitloop golden pin {name}@VERSION",
            ) from error

    def _golden_pins(self, revision: str | None) -> Mapping[str, str | None]:
        if revision is None:
            return self.params.golden.sets
        tree = CommitTree(self.git, revision)
        if not tree.has("params.yaml"):
            return {}
        return golden_pins(tree.read(["params.yaml"])[0].decode(errors="replace"))

    def golden_at(self, name: str, version: str, revision: str | None = None) -> GoldenSet:
        """A golden set as it was at a version, or at a tag's version such as "v2026.5.1+3fa2c1".

        The records of the work tree, or of the revision, tell most versions, in a shallow clone
        too; else a commit does.

        Raises:
            DataError: Neither does.
        """
        golden = self.golden(name, revision)
        if golden.exists():
            tree = self._tree(revision)
            found = at_version(golden, tree, version, dvc=self.dvc, root=self.root)
            if found.version() == version:
                return found
        return self.golden(name, commit_of(self.git, self.dvc, name, version))

    def read(self, path: str, table: Table) -> pl.DataFrame:
        """The table in a file of the work tree; `path` is relative to the root."""
        return parquet.read(self.root / path, table, source=path)

    def write(self, path: str, table: Table, rows: pl.DataFrame) -> pl.DataFrame:
        """Check, sort and write a table, whole or not at all; returns the rows as written."""
        return parquet.write(self.root / path, table, rows)

    def now(self) -> datetime:
        """The time, UTC, to the second; `SOURCE_DATE_EPOCH` fixes it for reproducible runs.

        Raises:
            DataError: `SOURCE_DATE_EPOCH` is not a number of seconds.
        """
        fixed = os.environ.get("SOURCE_DATE_EPOCH")
        if fixed is None:
            return datetime.now(UTC).replace(microsecond=0)
        try:
            return datetime.fromtimestamp(int(fixed), UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise DataError(f"SOURCE_DATE_EPOCH is {fixed!r}, not seconds since 1970") from error
