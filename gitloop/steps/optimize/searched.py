"""What one search is about: the prompt, the golden rows, the optimizer and the teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from gitloop.core.optimize import CandidateCheck
from gitloop.digests import sha256_of
from gitloop.errors import ConfigError, DataError
from gitloop.params import Prompt
from gitloop.plugins import load
from gitloop.protocols import Optimizer, Target, Task
from gitloop.records import Candidate, Case, Space
from gitloop.workspace import Workspace

FOLDER = "loop/optimize"


@dataclass(frozen=True, slots=True)
class Searched:
    """Everything that the search is about.

    Attributes:
        workspace: The checkout.
        prompt: The prompt as it is.
        golden: All rows of the golden sets in use.
        space: What the prompt declares as open to choice.
        incumbent: The prompt as a candidate.
        plugin: The optimizer.
        teacher: The teacher, or None.
    """

    workspace: Workspace
    prompt: Prompt
    golden: pl.DataFrame
    space: Space
    incumbent: Candidate
    plugin: type[Optimizer]
    teacher: Target | None

    @property
    def rows(self) -> dict[str, tuple[str, ...]]:
        """Split → row ids, in the order of the golden sets."""
        found: dict[str, list[str]] = {"train": [], "val": [], "holdout": []}
        for row_id, split in self.golden.select("row_id", "split").iter_rows():
            found[split].append(row_id)
        return {split: tuple(ids) for split, ids in found.items()}

    @property
    def n_rows(self) -> dict[str, int]:
        """Split → number of rows."""
        return {split: len(ids) for split, ids in self.rows.items()}

    @property
    def budget(self) -> int:
        """Rows that the search may score: what the look at the holdout needs is set aside."""
        return self.workspace.params.optimize.max_evaluations - 2 * self.n_rows["holdout"]

    def task(self) -> Task:
        """What the optimizer is given."""
        train = [case_of(row) for row in self.golden.filter(pl.col("split") == "train").to_dicts()]
        return Task(
            prompt=self.prompt,
            incumbent=self.incumbent,
            space=self.space,
            seed=self.workspace.params.seed,
            budget=self.budget,
            train=tuple(train),
            val_ids=self.rows["val"],
            has_teacher=self.teacher is not None,
        )

    def check(self) -> CandidateCheck:
        """What no candidate may do: grow without bounds, lose a placeholder, copy a row."""
        columns = self.golden.select("input", "context", "reference").iter_rows()
        texts = [text for row in columns for text in row if text]
        return CandidateCheck(self.prompt, texts, self.workspace.params.optimize.max_length_ratio)

    def holdout_sha256(self) -> str:
        """Digest of the holdout: which rows, with which texts and labels."""
        columns = ["row_id", "input", "context", "reference", "labels"]
        rows = self.golden.filter(pl.col("split") == "holdout").select(columns).sort("row_id")
        return sha256_of(rows.to_dicts())


def open_search(workspace: Workspace) -> Searched:
    """The search that params.yaml describes.

    Raises:
        ConfigError: No prompt file, no such optimizer, one that lacks its teacher, a teacher with a
            prompt file, or a frozen part that is not there.
        DataError: No golden rows.
    """
    prompt = workspace.prompt()
    if prompt is None:
        raise ConfigError(
            "the target has no prompt file to optimize", hint="edit params.yaml: target.prompt"
        )
    plugin = load("optimizers", workspace.params.optimize.optimizer)
    teacher = _teacher(workspace)
    if plugin.needs_teacher and teacher is None:
        raise ConfigError(
            f"the optimizer {plugin.id} needs a teacher, a model that writes prompts",
            hint="set optimize.teacher in params.yaml, e.g. {use: python, callable: app:teach}",
        )
    if lost := prompt.lost(prompt.head.frozen):
        raise ConfigError(
            f"{prompt.version_id} freezes a part that it does not hold: {lost[0]!r}",
            hint=f"write it as it stands in {workspace.params.target.prompt}, word for word",
        )
    plugin(workspace.params.optimize.parameters)
    head = prompt.head
    space = Space(head.space, _open_lines(prompt), head.demos, head.parameter_values)
    own = {name: head.parameters[name] for name in space.parameters if name in head.parameters}
    incumbent = Candidate(
        head.instructions,
        tuple(sorted(head.values.items())),
        parameters=tuple(sorted(own.items())),
    )
    return Searched(workspace, prompt, _golden(workspace), space, incumbent, plugin, teacher)


def case_of(row: Mapping[str, Any]) -> Case:
    """What the target is asked about a golden row."""
    names = ("input", "context", "reference", "route", "user_cohort")
    return Case(item_id=row["row_id"], **{name: row[name] for name in names})


def obstacle(searched: Searched) -> tuple[str, str] | None:
    """Why there is nothing to search, or None."""
    least = searched.workspace.params.optimize.min_rows
    n_rows = searched.golden.height
    if n_rows < least:
        return "too few rows", f"{n_rows} golden rows; prompt optimisation wants {least}"
    needed = ("train", "val", "holdout") if searched.plugin.needs_teacher else ("val", "holdout")
    if empty := [split for split in needed if not searched.n_rows[split]]:
        return "too few rows", f"the golden sets have no {' and no '.join(empty)} rows"
    if searched.space.size <= 1 and not searched.space.demos and searched.teacher is None:
        return (
            "nothing to search",
            "the prompt's front matter declares no space and no lines, and there is no teacher",
        )
    return None


def _teacher(workspace: Workspace) -> Target | None:
    """The teacher, or None; a model varies what it says unless its temperature is pinned."""
    pin = workspace.params.optimize.teacher
    if pin is None:
        return None
    if pin.prompt is not None:
        raise ConfigError(
            "optimize.teacher takes no prompt file: what it is asked is the whole question",
            hint="edit params.yaml: remove optimize.teacher.prompt",
        )
    if pin.use == "openai":  # at temperature 0 it would say the same whenever it is asked the same
        pin = pin.model_copy(update={"parameters": {"temperature": 1.0, **pin.parameters}})
    found: Target = load("targets", pin.use)(pin, None, workspace.root)
    return found


def _golden(workspace: Workspace) -> pl.DataFrame:
    sets = [workspace.golden_in_use(name).read() for name in sorted(workspace.params.golden.sets)]
    rows = pl.concat(sets) if sets else pl.DataFrame()
    if rows.is_empty():
        raise DataError("no golden set has any row", hint="run: gitloop promote")
    return rows.sort("set", "row_id")


def _open_lines(prompt: Prompt) -> tuple[str, ...]:
    """The declared instructions that the prompt does not give already."""
    given = set(prompt.head.instructions)
    return tuple(
        line for line in prompt.head.lines if line not in given and line not in prompt.body
    )
