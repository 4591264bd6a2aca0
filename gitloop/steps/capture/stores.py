"""The fork at the source: every part of feedback lands in each store as well.

A store is a plain directory of Parquet parts, by default `data/training`, in or outside of the
repository; a part that is deleted there comes back. A store that fails keeps the events from no
other: it gets what it lacks at the next seal or import.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from errno import ENOENT
from pathlib import Path

from gitloop.errors import MissingObjectError
from gitloop.steps.capture.tracking import keep_out_of_git
from gitloop.storage.files import replacing
from gitloop.storage.parts import FOLDERS, TablePart, list_parts, locate
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class StoreReport:
    """Where a store stands.

    Attributes:
        name: Its name in params.yaml.
        directory: Its directory, as params.yaml has it.
        n_copied: Parts that it got now.
        n_behind: Parts that it still lacks.
        reason: Why, or "".
    """

    name: str
    directory: str
    n_copied: int
    n_behind: int
    reason: str = ""


class Stores:
    """The stores of params.yaml: capture.stores.

    Args:
        workspace: The repository.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._directories = dict(workspace.params.capture.stores)
        self._n_copied = dict.fromkeys(self._directories, 0)

    def put(self, part: Path, name: str) -> None:
        """Give a new part to each store; one that fails is left for `catch_up`."""
        for store, directory in self._directories.items():
            try:
                self._copy(part, directory, name)
            except OSError:
                continue
            self._n_copied[store] += 1

    def catch_up(self) -> tuple[StoreReport, ...]:
        """Give each store the parts of data/feedback that it lacks, and say where it stands."""
        parts = list_parts(self._workspace.root, FOLDERS["feedback"])
        return tuple(self._catch_up(store, parts) for store in sorted(self._directories))

    def _catch_up(self, store: str, parts: list[TablePart]) -> StoreReport:
        directory = self._directories[store]
        lacking = [part for part in parts if not self._path(directory, part.data_path).is_file()]
        reason = self._fetch(lacking)
        n_behind = 0
        for part in lacking:
            source = locate(self._workspace.root, self._workspace.dvc, part)
            try:
                if source is None:
                    raise FileNotFoundError(ENOENT, f"{part.data_path} is not in the cache")
                self._copy(source, directory, part.data_path)
                self._n_copied[store] += 1
            except OSError as error:
                n_behind += 1
                reason = reason or str(error.strerror or error)
        return StoreReport(store, directory, self._n_copied[store], n_behind, reason)

    def _fetch(self, parts: list[TablePart]) -> str:
        """Bring what is not here into the cache; says why it could not be had, or ""."""
        workspace = self._workspace
        absent = [part for part in parts if locate(workspace.root, workspace.dvc, part) is None]
        if not absent:
            return ""
        try:
            workspace.dvc.fetch([part.pointer_path for part in absent])
        except MissingObjectError as error:
            return error.message.splitlines()[0]
        return ""

    def _path(self, directory: str, data_path: str) -> Path:
        return self._workspace.root / directory / Path(data_path).name

    def _copy(self, part: Path, directory: str, name: str) -> None:
        root = self._workspace.root
        target = self._path(directory, name)
        if target.is_file():
            return
        with replacing(target) as temporary:
            shutil.copyfile(part, temporary)
        if target.resolve().is_relative_to(root.resolve()):
            keep_out_of_git(self._workspace, target.relative_to(root).as_posix())
