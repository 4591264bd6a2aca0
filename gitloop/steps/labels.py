"""Labels from other tools' files into `labels/`, and out again."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core import labels as core
from gitloop.core.labels import Defaults, Dialect, Draft
from gitloop.errors import ConfigError, DataError
from gitloop.params import LabelForm
from gitloop.storage.files import read_text, write_text
from gitloop.storage.labels import (
    VERDICT_SCORES,
    append_labels,
    check_annotator,
    check_label,
    label_key,
    read_labels,
    render_label,
)
from gitloop.storage.parts import read_parts
from gitloop.tables import CLUSTERS, LABELS, TRACES
from gitloop.workspace import Workspace

READS = ("jsonl", "csv", "label-studio", "argilla")
WRITES = ("jsonl", "csv", "label-studio", "label-studio-config", "argilla")
SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
CLUSTERS_PATH = "loop/cluster/clusters.parquet"
_MAX_FAULTS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """How to read labels.

    Attributes:
        form: One of `READS`, or None to tell by the file's name.
        annotator: Who labelled, where a label does not say.
        role: What their word weighs, where a label does not say; None: what it weighed before.
        dialect: Their people and grades, for other tools' files.
        guidance_version: The guidance they followed, where a label does not say; None: today's.
    """

    form: str | None = None
    annotator: str | None = None
    role: str | None = None
    dialect: Dialect = field(default_factory=Dialect)
    guidance_version: str | None = None


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What `gitloop labels import` did.

    Attributes:
        n_read: Labels in the files.
        n_new: Labels appended.
        n_unchanged: Labels that were there word for word.
        n_replaced: Labels appended that supersede one of the same person, item and rubric.
        n_without_trace: Appended labels whose trace is not among the traces here.
        no_verdicts: What was said in appended labels that are neither pass nor fail nor a grade.
        files: Label files that grew → lines added.
    """

    n_read: int
    n_new: int
    n_unchanged: int
    n_replaced: int
    n_without_trace: int
    files: dict[str, int]
    no_verdicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What to write.

    Attributes:
        form: One of `WRITES`.
        rubrics: Only these; () for all.
        is_wanted: Whether clusters' representatives without a label go out as well, to be
            labelled elsewhere. Only for tools that show traces.
        path: Where to write, or None for the report's `text`.
        people: The other tool's id of a person → our annotator's name.
    """

    form: str = "jsonl"
    rubrics: tuple[str, ...] = ()
    is_wanted: bool = False
    path: Path | None = None
    people: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What `gitloop labels export` wrote.

    Attributes:
        n_labels: Labels in force.
        n_left_out: Labels of spans, sessions and the like, which a tool that shows traces cannot
            show.
        annotators: Who gave them → how many.
        text: The labels, where they go to stdout; "" where they went to a file.
        path: The file's name, or None.
        strangers: Annotators in the file whose name is no id of a person in that tool: it will not
            take their labels, though `gitloop labels import` does.
    """

    n_labels: int
    n_left_out: int
    annotators: dict[str, int]
    text: str
    path: str | None
    strangers: tuple[str, ...] = ()


def import_labels(directory: Path, files: tuple[Path, ...], plan: ImportPlan) -> ImportReport:
    """Append the labels of the files; all or, when one is faulty, none.

    Reading a file again changes nothing.

    Args:
        directory: A directory in the repository.
        files: Where the labels are.
        plan: How to read them.

    Raises:
        ConfigError: A file's format is unknown.
        DataError: Every faulty label of every file, each with its place.
    """
    workspace = Workspace(directory)
    if plan.annotator is not None:
        check_annotator(plan.annotator)
    defaults = Defaults(
        annotator=plan.annotator,
        role=plan.role,
        guidance_version=plan.guidance_version or workspace.params.labels.guidance_version,
        at=workspace.now(),
    )
    forms = _forms(workspace)
    read_plan = replace(plan, dialect=replace(plan.dialect, forms=forms))
    drafts = [draft for path in files for draft in _drafts(path, read_plan)]
    labels = read_labels(workspace.root, kind=None)
    before = {label_key(row): row for row in labels.iter_rows(named=True)}
    rows = _checked(drafts, defaults, forms, before)
    fresh = [row for row in rows if not _same(row, before.get(label_key(row)))]
    by_annotator: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in fresh:
        by_annotator[row["annotator"]].append(row)
    for name, own in sorted(by_annotator.items()):
        append_labels(workspace.root, name, own)
    known = set(_traces(workspace)["trace_id"].to_list())
    return ImportReport(
        n_read=len(rows),
        n_new=len(fresh),
        n_unchanged=len(rows) - len(fresh),
        n_replaced=sum(label_key(row) in before for row in fresh),
        n_without_trace=sum(row["trace_id"] not in known for row in fresh),
        files={f"labels/{name}.jsonl": len(own) for name, own in sorted(by_annotator.items())},
        no_verdicts=tuple(
            row["label"]
            for row in fresh
            if row["score"] is None
            and row["item_kind"] != "pair"
            and forms[row["rubric"]].type != "text"
        ),
    )


def export_labels(directory: Path, plan: ExportPlan) -> ExportReport:
    """The labels in force, as text or into a file.

    Raises:
        DataError: A label file is faulty.
    """
    workspace = Workspace(directory)
    everything = read_labels(workspace.root, kind=None)
    if plan.rubrics:
        everything = everything.filter(pl.col("rubric").is_in(list(plan.rubrics)))
    shows_traces = plan.form not in {"jsonl", "csv"}
    labels = everything.filter(item_kind="trace") if shows_traces else everything
    dialect = Dialect(plan.people, forms=_forms(workspace))
    text = _rendered(workspace, labels, plan, dialect)
    if plan.path is not None:
        write_text(plan.path, text)
    counts = labels.group_by("annotator").len().sort("annotator")
    return ExportReport(
        n_labels=labels.height,
        n_left_out=everything.height - labels.height,
        annotators=dict(counts.iter_rows()),
        text=text if plan.path is None else "",
        path=None if plan.path is None else plan.path.name,
        strangers=core.strangers(plan.form, counts["annotator"].to_list(), dialect),
    )


def _rendered(
    workspace: Workspace, labels: pl.DataFrame, plan: ExportPlan, dialect: Dialect
) -> str:
    if plan.form == "csv":
        return core.labels_to_csv(labels)
    if plan.form == "jsonl":
        return "".join(render_label(row) for row in labels.iter_rows(named=True))
    if plan.form == "label-studio-config":
        names = plan.rubrics or sorted(workspace.params.rubrics)
        return core.label_studio_config({name: workspace.rubric(name) for name in names})
    shown = set(labels["trace_id"].to_list())
    if plan.is_wanted:
        clusters = workspace.read(CLUSTERS_PATH, CLUSTERS)
        shown |= set(clusters["representatives"].explode(empty_as_null=False).to_list())
    traces = _traces(workspace).filter(pl.col("trace_id").is_in(list(shown)))
    write = core.argilla_records if plan.form == "argilla" else core.label_studio_tasks
    found = write(traces, labels, dialect)
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _forms(workspace: Workspace) -> dict[str, LabelForm]:
    """Rubric → how people answer under it."""
    return {name: workspace.rubric(name).label for name in workspace.params.rubrics}


def _traces(workspace: Workspace) -> pl.DataFrame:
    return read_parts(workspace.root, workspace.dvc, "data/traces", TRACES)


def _drafts(path: Path, plan: ImportPlan) -> list[Draft]:
    form = plan.form or SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise ConfigError(
            f"{path.name} does not tell its format by its name",
            hint=f"run: gitloop labels import --from {'|'.join(READS)} {path.name}",
        )
    text = read_text(path)
    if form == "csv":
        return core.drafts_from_csv(text, source=path.name)
    if form == "jsonl":
        return core.drafts_from_jsonl(text, source=path.name)
    read = core.drafts_from_argilla if form == "argilla" else core.drafts_from_label_studio
    return read(text, source=path.name, dialect=plan.dialect)


def _checked(
    drafts: list[Draft],
    defaults: Defaults,
    forms: Mapping[str, LabelForm],
    before: Mapping[tuple[str, str, str, str], Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """The completed labels, one per person, item and rubric: the last of several counts."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    faults = []
    for draft in drafts:
        try:
            row = check_label(core.completed(draft, defaults, before))
            check_annotator(row["annotator"])
            row = _graded(row, forms)
        except ValueError as error:
            faults += [f"  {draft.place}: {fault}" for fault in error.args]
            continue
        except ConfigError as error:
            faults.append(f"  {draft.place}: {error.message}")
            continue
        rows.pop(label_key(row), None)
        rows[label_key(row)] = row
    if faults:
        more = len(faults) - _MAX_FAULTS_SHOWN
        listed = faults[:_MAX_FAULTS_SHOWN] + ([f"  … and {more} more"] if more > 0 else [])
        raise DataError(
            "\n".join([f"{len(faults)} labels are faulty; nothing was imported:", *listed]),
            hint="docs/tables.md: labels",
        )
    return list(rows.values())


def _graded(row: dict[str, Any], forms: Mapping[str, LabelForm]) -> dict[str, Any]:
    """The label with the score that its rubric's form gives it.

    Raises:
        ValueError: No rubric of that name is pinned, or its form takes no such label.
    """
    if row["item_kind"] == "pair":
        return row
    if row["rubric"] not in forms:
        raise ValueError(f"params.yaml pins no rubric {row['rubric']}")
    form = forms[row["rubric"]]
    if form.type != "thumbs":
        label, score = form.grade(row["label"])
    else:  # spreadsheets write "Fail "; other tools' grades may stand for verdicts: --grades
        label = row["label"].strip()
        label = label.lower() if label.lower() in VERDICT_SCORES else label
        score = VERDICT_SCORES.get(label, row["score"])
    if row["score"] is not None and score is not None and abs(row["score"] - score) > 1e-9:
        raise ValueError(f"score is {row['score']}, but label {label!r} means {score:g}")
    return row | {"label": label, "score": score}


def _same(row: dict[str, Any], old: dict[str, Any] | None) -> bool:
    """Whether the label in force says all that the row says; when it was given does not matter."""
    names = [name for name in LABELS.schema if name not in {"label_id", "created_at"}]
    return old is not None and all(row[name] == old[name] for name in names)
