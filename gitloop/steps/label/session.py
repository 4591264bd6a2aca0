"""Who labels, by which rules, and what they are asked: opened once per session."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import polars as pl

from gitloop.core import label as core
from gitloop.core.label import Case, Queue, Rules, Session
from gitloop.errors import ConfigError, DataError, ToolError
from gitloop.evaluation import abstained, doubted
from gitloop.params import sections
from gitloop.storage.briefs import given_names
from gitloop.storage.labels import check_annotator, read_labels
from gitloop.storage.parts import read_parts
from gitloop.tables import CLUSTERS, ITEM_KINDS, OUTPUTS, TRACES
from gitloop.workspace import Workspace

CLUSTERS_PATH = "loop/cluster/clusters.parquet"
OUTPUTS_PATH = "loop/score/outputs.parquet"
KINDS = tuple(kind for kind in ITEM_KINDS if kind != "pair")
"""What `gitloop label` asks about; `gitloop pairs label` asks about pairs."""

_ROW_KINDS = {"golden_row", "prototype_run"}
_IDENTITY = re.compile(r"^(?P<name>[^<>]+?)\s*<(?P<address>[^<>\s]+@[^<>\s]+)>$")


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """What the person wants to label.

    Attributes:
        annotator: Their name, or "Name <address>", or None for the Git user's.
        is_senior: Whether they settle what annotators disagree on.
        rubrics: Rubrics to ask about; () for all that params.yaml pins.
        n_sample: Cases of a random sample to label in place of clusters, or None.
        n_judged: Traces of a random sample to judge, to label those on which a judge abstains.
        kind: What they look at, one of `KINDS`.
        order: "boundary" or "disagreement": all failures, those first that a label would teach most
            about; None for clusters' representatives.
        is_committed: Whether the labels are committed when the session ends.
    """

    annotator: str | None = None
    is_senior: bool = False
    rubrics: tuple[str, ...] = ()
    n_sample: int | None = None
    n_judged: int | None = None
    kind: str = "trace"
    order: str | None = None
    is_committed: bool = True


def open_session(workspace: Workspace, plan: LabelPlan) -> Session:
    """Who labels and by which rules.

    Raises:
        ConfigError: Nobody is named, or a rubric is not pinned.
    """
    pins = workspace.params.rubrics
    unknown = sorted(set(plan.rubrics) - set(pins))
    if unknown or not pins:
        raise ConfigError(
            f"params.yaml pins no rubric {', '.join(unknown)}"
            if unknown
            else "no rubric is pinned",
            hint=f"pinned: {', '.join(sorted(pins)) or 'none; edit params.yaml: rubrics'}",
        )
    if plan.kind not in KINDS:
        raise ConfigError(f"there is no kind {plan.kind!r}: {', '.join(KINDS)}")
    if plan.order and plan.kind in _ROW_KINDS:
        raise ConfigError(
            f"--order is about failures, and a {plan.kind} is none",
            hint=f"run: gitloop label --kind {plan.kind}",
        )
    annotator = annotator_of(workspace, plan.annotator)
    names = plan.rubrics or sorted(pins)
    found = {name: workspace.rubric(name) for name in names}
    return Session(
        annotator=annotator,
        role="senior" if plan.is_senior else "annotator",
        guidance_version=workspace.params.labels.guidance_version,
        rubrics={name: pins[name].version for name in names},
        min_agreement=workspace.params.labels.min_agreement,
        forms={name: rubric.label for name, rubric in found.items()},
        pass_from={name: rubric.pass_from for name, rubric in found.items()},
    )


def open_queue(workspace: Workspace, session: Session, plan: LabelPlan) -> Queue:
    """What the person is asked.

    Raises:
        DataError: There is nothing to choose from yet, or a label file is faulty.
    """
    labels = read_labels(workspace.root, plan.kind)
    if session.role == "senior":
        found = core.disputes(session, labels)
        wanted = {dispute.key[1]: dispute.trace_id for dispute in found}
        return core.senior_queue(found, _cases_of(workspace, plan.kind, wanted))
    if plan.n_judged is not None:
        return _unsure_queue(workspace, session, labels, plan.n_judged)
    cases, gone = _cases(workspace, plan)
    return core.annotator_queue(session, cases, labels, gone)


def rules(workspace: Workspace, session: Session) -> list[Rules]:
    """What annotators are told about each rubric of the session, or about pairs of answers."""
    if not session.rubrics:
        return [pair_rules(workspace)]
    found = []
    for name, version in session.rubrics.items():
        rubric = workspace.rubric(name)
        found.append(Rules(name, version, rubric.description, sections(rubric.guidance)))
    return found


def pair_rules(workspace: Workspace) -> Rules:
    """What annotators are told about two answers: the guidance of every rubric that is pinned."""
    found = []
    for name in sorted(workspace.params.rubrics):
        for section in sections(workspace.rubric(name).guidance):
            is_beginning = section.text.startswith(section.title.removesuffix(" …"))
            title = name if is_beginning else f"{name}, {section.title}"
            found.append(replace(section, section_id=f"{name}-{section.section_id}", title=title))
    told = "Which is better by these criteria? Length and order mean nothing."
    return Rules(core.PREFERENCE_RUBRIC, None, told if found else "", tuple(found))


def identity_of(workspace: Workspace, plan: LabelPlan, annotator: str) -> tuple[str, str] | None:
    """The annotator's Git identity, (name, address), or None where nothing tells it.

    It is what `--as` says, or the Git user's where that is the annotator, or that of the newest
    commit whose author has the annotator's name.
    """
    given = _IDENTITY.match(plan.annotator or "")
    if given:
        return given["name"], given["address"]
    user = workspace.git.identity()
    known = [*([user] if user else []), *workspace.git.authors()]
    for name, address in known:
        if annotator in {core.annotator_name(name), core.annotator_name(address)}:
            return name, address
    return None


def annotator_of(workspace: Workspace, given: str | None) -> str:
    """The stem of the annotator's label file: as given, or the Git user's.

    Raises:
        ConfigError: Nobody is named, or the name cannot be a file's.
    """
    identity = _IDENTITY.match(given or "")
    name = core.annotator_name(identity["name"]) if identity else given or _git_user(workspace)
    check_annotator(name)
    return name


def _git_user(workspace: Workspace) -> str:
    """The Git user's name as the stem of a label file."""
    for key in ("user.name", "user.email"):
        try:
            name = core.annotator_name(workspace.git.text("config", "--get", key))
        except ToolError:  # git config exits 1 when the key is not set
            continue
        if name:
            return name
    raise ConfigError(
        "Git does not know who you are",
        hint="run: gitloop label --as NAME, or git config user.name",
    )


def _unsure_queue(
    workspace: Workspace, session: Session, labels: pl.DataFrame, n_judged: int
) -> Queue:
    traces = read_parts(workspace.root, workspace.dvc, "data/traces", TRACES)
    drawn = _drawn(workspace, traces, n_judged)
    found = abstained(
        workspace, traces.filter(pl.col("trace_id").is_in(drawn)), list(session.rubrics)
    )
    shown = {one.trace_id: (None, None) for one in found}
    pairs = [(one.trace_id, one.rubric) for one in found]
    return core.unsure_queue(session, core.trace_cases(traces, shown), labels, pairs)


def _drawn(workspace: Workspace, traces: pl.DataFrame, n: int) -> list[str]:
    """The ids of a random sample of the traces that have an output."""
    answered = traces.filter(pl.col("output").is_not_null())["trace_id"].to_list()
    return core.sample(answered, n, workspace.params.seed)


def _cases(workspace: Workspace, plan: LabelPlan) -> tuple[list[Case], list[str]]:
    """The cases to show, in order, and the ids of those that are gone."""
    if plan.kind in _ROW_KINDS:
        cases = _row_cases(workspace, plan.kind)
        if plan.n_sample is not None:
            seed = workspace.params.seed
            chosen = core.sample([case.item_id for case in cases], plan.n_sample, seed)
            known = {case.item_id: case for case in cases}
            cases = [known[name] for name in chosen]
        return cases, []
    traces = read_parts(workspace.root, workspace.dvc, "data/traces", TRACES)
    shown: core.Shown
    if plan.order is not None:
        names = dict(_clusters(workspace).select("cluster_id", "name").iter_rows())
        found = doubted(workspace, plan.order)
        shown = {one.trace_id: (one.cluster_id, names.get(one.cluster_id)) for one in found}
    elif plan.n_sample is None:
        shown = core.representatives(_clusters(workspace))
    else:
        shown = dict.fromkeys(_drawn(workspace, traces, plan.n_sample), (None, None))
    there = set(traces["trace_id"].to_list())
    return _trace_cases(plan.kind, traces, shown), [name for name in shown if name not in there]


def _cases_of(workspace: Workspace, kind: str, wanted: dict[str, str]) -> list[Case]:
    """The cases with these item ids, each with the trace that it belongs to."""
    if kind in _ROW_KINDS:
        return [case for case in _row_cases(workspace, kind) if case.item_id in wanted]
    traces = read_parts(workspace.root, workspace.dvc, "data/traces", TRACES)
    shown = dict.fromkeys(wanted.values(), (None, None))
    return [case for case in _trace_cases(kind, traces, shown) if case.item_id in wanted]


def _trace_cases(kind: str, traces: pl.DataFrame, shown: core.Shown) -> list[Case]:
    if kind == "trace":
        return core.trace_cases(traces, shown)
    if kind == "session":
        return core.session_cases(traces, shown)
    return core.span_cases(traces, shown, kind)


def _row_cases(workspace: Workspace, kind: str) -> list[Case]:
    sets = sorted(workspace.params.golden.sets)
    rows = [golden.read() for name in sets if (golden := workspace.golden(name)).exists()]
    if not rows or not sum(found.height for found in rows):
        raise DataError("no golden set has a row yet", hint="run: gitloop promote")
    golden_rows = pl.concat(rows)
    if kind == "golden_row":
        return core.golden_cases(golden_rows)
    if not (workspace.root / OUTPUTS_PATH).is_file():
        raise DataError("the application has not been run yet", hint="run: dvc repro score")
    return core.run_cases(workspace.read(OUTPUTS_PATH, OUTPUTS), golden_rows)


def _clusters(workspace: Workspace) -> pl.DataFrame:
    if not (workspace.root / CLUSTERS_PATH).is_file():
        raise DataError(
            "failures have not been clustered yet, so there is nothing to choose cases from",
            hint="run: dvc repro cluster, or: gitloop label --sample 50",
        )
    clusters = workspace.read(CLUSTERS_PATH, CLUSTERS)
    given = given_names(workspace.root, clusters["cluster_id"])
    return clusters.with_columns(
        name=pl.col("cluster_id").replace_strict(given, default=pl.col("name"))
    )
