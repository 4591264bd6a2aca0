"""What people said about one rubric: one verdict per trace, and what is wrong with the labels."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from gitloop.core.calibrate.findings import Finding, count
from gitloop.digests import sha256_of
from gitloop.params import Rubric
from gitloop.stats.agreement import Agreement, raw_agreement, tabulate
from gitloop.stats.consensus import consensus
from gitloop.stats.holdout import is_held_out

DISPUTED = 0.2
"""Share of items on which annotators differ from which a finding says so."""

_OF_TRACE = ("trace_id", "input", "context", "output", "route", "user_cohort", "prompt_version")
_OF_LABEL = ("label_id", "trace_id", "label", "score", "annotator", "role", "guidance_version")


@dataclass(frozen=True, slots=True)
class LabelRules:
    """Which labels count, and when they make a verdict.

    Attributes:
        guidance_version: The guidance in force; labels that follow another are not used.
        min_agreement: Least share of annotators behind a verdict; a senior settles.
        holdout_rate: Share of groups whose labels choose no threshold, [0, 1).
    """

    guidance_version: str
    min_agreement: float
    holdout_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """The labels of one rubric, ready to hold a judge against.

    Attributes:
        rubric: The rubric's name.
        scale: "binary", "continuous" or "ordinal".
        items: One row per trace with a verdict, sorted by trace_id: trace_id, group_id, input,
            context, output, reference, route, user_cohort, prompt_version, cluster_id,
            verdict ("pass" or "fail"), agreement, is_unanimous, settled_by, annotators,
            is_held_out.
        n_labels: Labels that count.
        annotators: Who gave them, sorted.
        label_sha256: Digest of those labels.
        agreement: How often two annotators say the same; seniors, who saw, do not count.
        findings: What is wrong with them.
    """

    rubric: str
    scale: str
    items: pl.DataFrame
    n_labels: int
    annotators: tuple[str, ...]
    label_sha256: str
    agreement: Agreement
    findings: tuple[Finding, ...]


def gather(
    labels: pl.DataFrame,
    traces: pl.DataFrame,
    rubric: Rubric,
    rules: LabelRules,
) -> Evidence:
    """The verdicts of people under one rubric.

    One person's label is enough for a verdict here, and a finding says how many such there are:
    whether two must agree before a row is promoted is another question.

    Args:
        labels: Fits `tables.LABELS`.
        traces: Fits `tables.TRACES`.
        rubric: As it is in force.
        rules: Which labels count.
    """
    given = labels.filter((pl.col("rubric") == rubric.name) & (pl.col("item_kind") == "trace"))
    current = given.filter(pl.col("guidance_version") == rules.guidance_version)
    decided = consensus(current, 1, rules.min_agreement, {rubric.name: rubric.pass_from})
    verdicts = decided.filter(pl.col("verdict").is_not_null())
    clusters = current.group_by("trace_id").agg(pl.col("cluster_id").drop_nulls().min())
    group = pl.coalesce("group_id", "session_id", "trace_id").alias("group_id")
    items = (
        verdicts.drop("rubric", "guidance_version", "reason")
        .join(traces.select(*_OF_TRACE, group), on="trace_id", how="inner")
        .join(clusters, on="trace_id", how="left")
        .sort("trace_id")
    )
    held = [is_held_out(group_id, rules.holdout_rate) for group_id in items["group_id"]]
    items = items.with_columns(pl.Series("is_held_out", held, pl.Boolean))
    findings = [
        *_guidance(given, current, rules.guidance_version),
        *_version(current, rubric),
        *_gone(verdicts.height, items.height),
        *_undecided(decided, verdicts.height),
        *_opinions(items),
    ]
    return Evidence(
        rubric=rubric.name,
        scale=rubric.scale,
        items=items,
        n_labels=current.height,
        annotators=tuple(sorted(current["annotator"].unique().to_list())),
        label_sha256=_digest(current),
        agreement=_agreement(current, rubric.pass_from),
        findings=tuple(findings),
    )


def _agreement(labels: pl.DataFrame, pass_from: float) -> Agreement:
    """Raw agreement of annotators on pass and fail, other labels taken by their score."""
    graded = pl.when(pl.col("score") >= pass_from).then(pl.lit("pass")).otherwise(pl.lit("fail"))
    scored = pl.when(pl.col("score").is_not_null()).then(graded)
    verdict = pl.when(pl.col("label").is_in(["pass", "fail"])).then("label").otherwise(scored)
    given = labels.filter(pl.col("role") == "annotator").select(
        "trace_id", verdict.alias("verdict")
    )
    units = given.group_by("trace_id").agg("verdict").sort("trace_id")["verdict"].to_list()
    return raw_agreement(tabulate(units, ("fail", "pass")))


def _digest(labels: pl.DataFrame) -> str:
    """Digest of what the labels say; it does not depend on their order or comments."""
    return sha256_of(labels.select(_OF_LABEL).sort("label_id").to_dicts())


def _guidance(given: pl.DataFrame, current: pl.DataFrame, version: str) -> list[Finding]:
    """What there is to say about labels that follow another guidance, or about none at all."""
    if given.is_empty():
        return [Finding("no_labels", "nobody has labelled it")]
    others = given.height - current.height
    if not others:
        return []
    versions = sorted(set(given["guidance_version"].to_list()) - {version})
    told = f"follow guidance {', '.join(versions)}, not {version}"
    if current.is_empty():
        return [Finding("other_guidance", f"all {count(others, 'label')} {told}")]
    left_out = f"{others} of {count(given.height, 'label')} {told}, and were left out"
    return [Finding("some_other_guidance", left_out)]


def _version(current: pl.DataFrame, rubric: Rubric) -> list[Finding]:
    others = current.filter(pl.col("rubric_version") != rubric.version)  # null: nobody recorded it
    if others.is_empty():
        return []
    versions = ", ".join(sorted(others["rubric_version"].unique().to_list()))
    told = (
        f"{others.height} of {count(current.height, 'label')} were given under {rubric.name}"
        f" {versions}; the judge follows version {rubric.version}"
    )
    return [Finding("other_rubric_version", told)]


def _gone(n_verdicts: int, n_items: int) -> list[Finding]:
    if n_verdicts == n_items:
        return []
    if not n_items:
        message = f"none of the {n_verdicts} labelled traces is in data/traces"
        return [Finding("no_traces", message)]
    message = f"{n_verdicts - n_items} of {n_verdicts} labelled traces are not in data/traces"
    return [Finding("some_traces_gone", message)]


def _undecided(decided: pl.DataFrame, n_verdicts: int) -> list[Finding]:
    open_items = decided.height - n_verdicts
    if not open_items:
        return []
    if not n_verdicts:
        return [Finding("no_verdicts", f"no verdict on any of {count(open_items, 'item')}")]
    message = f"no verdict on {open_items} of {decided.height} items: a senior must settle them"
    return [Finding("undecided", message)]


def _opinions(items: pl.DataFrame) -> list[Finding]:
    """What there is to say about how many people speak, and whether they agree."""
    if items.is_empty():
        return []
    alone = items.filter(pl.col("annotators").list.len() == 1)
    shared = items.height - alone.height
    found = []
    if 2 * alone.height > items.height:
        message = (
            f"one person alone labelled {alone.height} of {items.height} items:"
            " the threshold follows one opinion"
        )
        found.append(Finding("single_annotator", message))
    disputed = int((~items["is_unanimous"].fill_null(value=True)).sum())
    if shared and disputed > DISPUTED * shared:
        message = (
            f"annotators differ on {disputed} of the {shared} items that two or more labelled:"
            " no judge can agree with both"
        )
        found.append(Finding("disputed_labels", message))
    return found
