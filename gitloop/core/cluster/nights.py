"""The ledger of nights: which clusters were born, merged, split and died, run after run.

It is what keeps a ticket true that names a cluster: an id that is gone leads to what became of it.
A night is known by its inputs, so that a run repeated on the same commit stays one night.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from gitloop.core.cluster.duplicates import Collapsed
from gitloop.core.cluster.identity import Change, Identity, Night
from gitloop.core.cluster.results import NOISE, Clustering
from gitloop.digests import canonical_json
from gitloop.errors import DataError

SCHEMA = "gitloop.night/v1"


@dataclass(frozen=True, slots=True)
class Outputs:
    """The tables of a night, by content.

    Attributes:
        clusters_md5: MD5 of clusters.parquet, as DVC names it.
        members_md5: MD5 of members.parquet.
    """

    clusters_md5: str
    members_md5: str


@dataclass(frozen=True, slots=True)
class NightLine:
    """One run, as the ledger keeps it.

    Attributes:
        inputs_sha256: Digest of the failures and of the parameters that cluster them.
        previous: The night that this one continues, or None for the first.
        mode: "full" or "incremental".
        n_failures: Failures, duplicates counted.
        n_clusters: Clusters.
        n_persisting: Failures of both nights that had a cluster before.
        n_kept: Those of them whose cluster kept its id and them.
        births: Ids of new clusters, ascending.
        deaths: Ids that no cluster has any more, ascending.
        splits: Clusters whose members went to several.
        merges: Clusters that took most of several.
    """

    inputs_sha256: str
    previous: Outputs | None
    n_failures: int
    n_clusters: int
    mode: str = "full"
    n_persisting: int = 0
    n_kept: int = 0
    births: tuple[str, ...] = ()
    deaths: tuple[str, ...] = ()
    splits: tuple[Change, ...] = ()
    merges: tuple[Change, ...] = ()

    @property
    def kept_rate(self) -> float:
        """Share of the persisting failures that keep their cluster, [0, 1]; 1 when none persist."""
        return round(self.n_kept / self.n_persisting, 6) if self.n_persisting else 1.0


@dataclass(frozen=True, slots=True)
class Continuation:
    """Where tonight goes on.

    Attributes:
        before: The lines of the nights before tonight.
        previous: The tables of last night, or None.
    """

    before: tuple[NightLine, ...]
    previous: Outputs | None


def continuation(
    work_tree: Sequence[NightLine],
    committed: Sequence[NightLine],
    inputs_sha256: str,
    committed_outputs: Outputs | None,
) -> Continuation:
    """Return what tonight continues.

    A night that the ledger holds already is run again on what it continued then. Any other one
    continues what the checked-out commit recorded.

    Args:
        work_tree: The ledger as it lies in the work tree.
        committed: The ledger of the checked-out commit.
        inputs_sha256: Tonight's inputs.
        committed_outputs: The tables that the checked-out commit recorded, or None.
    """
    for lines in (work_tree, committed):
        if lines and lines[-1].inputs_sha256 == inputs_sha256:
            return Continuation(tuple(lines[:-1]), lines[-1].previous)
    return Continuation(tuple(committed), committed_outputs)


def is_due(before: Sequence[NightLine], full_every: int) -> bool:
    """Return whether tonight must be a full run after these nights, in mode incremental."""
    since = next((n for n, line in enumerate(reversed(before)) if line.mode == "full"), None)
    return since is None or since + 1 >= full_every


def night_line(
    inputs_sha256: str, goes_on: Continuation, n_failures: int, found: Identity, mode: str
) -> NightLine:
    """Return the line of a run that continues another, or none."""
    return NightLine(
        inputs_sha256=inputs_sha256,
        previous=goes_on.previous,
        mode=mode,
        n_failures=n_failures,
        n_clusters=len(found.ids),
        n_persisting=found.n_persisting,
        n_kept=found.n_kept,
        births=found.births,
        deaths=found.deaths,
        splits=found.splits,
        merges=found.merges,
    )


def render(lines: Sequence[NightLine]) -> str:
    """Return the ledger's text: one canonical JSON object per night."""
    return "".join(canonical_json({"schema": SCHEMA, **asdict(line)}) + "\n" for line in lines)


def parse_nights(text: str, *, source: str) -> list[NightLine]:
    """Return the lines of a ledger.

    Raises:
        DataError: A line is none; it is named.
    """
    lines = []
    for number, raw in enumerate(text.splitlines(), start=1):
        try:
            lines.append(_parse(json.loads(raw)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{source}:{number}: not a line of the ledger of nights",
                hint=f"git checkout -- {source}; after a merge, keep the lines of one side",
            ) from error
    return lines


def _parse(value: Mapping[str, Any]) -> NightLine:
    if value["schema"] != SCHEMA:
        raise ValueError(value["schema"])
    previous = value["previous"]
    changes = {
        name: tuple(
            Change(str(change["cluster_id"]), tuple(map(str, change["parts"])))
            for change in value[name]
        )
        for name in ("splits", "merges")
    }
    return NightLine(
        inputs_sha256=str(value["inputs_sha256"]),
        previous=previous and Outputs(str(previous["clusters_md5"]), str(previous["members_md5"])),
        n_failures=int(value["n_failures"]),
        n_clusters=int(value["n_clusters"]),
        mode=str(value.get("mode", "full")),
        n_persisting=int(value["n_persisting"]),
        n_kept=int(value["n_kept"]),
        births=tuple(map(str, value["births"])),
        deaths=tuple(map(str, value["deaths"])),
        **changes,
    )


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What became of a cluster.

    Attributes:
        cluster_id: The id that was asked about.
        born_in: Number of the night it was born in, from 1, or None when no ledger knows it.
        died_in: Number of the night it died in, or None while it lives.
        heirs: Living clusters that hold its failures now, ascending; itself while it lives.
    """

    cluster_id: str
    born_in: int | None
    died_in: int | None
    heirs: tuple[str, ...]


def whereabouts(lines: Sequence[NightLine], cluster_id: str) -> Whereabouts:
    """Return what became of a cluster: through splits and merges, down to those that live.

    A cluster that died without an heir went to noise, or its failures were no longer reported.
    """
    born = [n for n, line in enumerate(lines, start=1) if cluster_id in line.births]
    if not born:
        return Whereabouts(cluster_id, None, None, ())
    holders, died_in = {cluster_id}, None
    for number, line in enumerate(lines[born[-1] :], start=born[-1] + 1):
        parts = {change.cluster_id: set(change.parts) for change in line.splits}
        takers: dict[str, set[str]] = {}
        for change in line.merges:
            for part in change.parts:
                takers.setdefault(part, set()).add(change.cluster_id)
        dead = set(line.deaths)
        if cluster_id in dead and died_in is None:
            died_in = number
        went: set[str] = set()
        for holder in holders:
            stays = set() if holder in dead else {holder}
            went |= parts.get(holder, set()) | takers.get(holder, set()) | stays
        holders = went
    return Whereabouts(cluster_id, born[-1], died_in, tuple(sorted(holders)))


def known_groups(
    groups: Collapsed, trace_ids: Sequence[str], last: Mapping[str, str]
) -> dict[str, str]:
    """Return the trace_id that stands for each group → the cluster that most of it had, or "".

    Args:
        groups: Which failures say the same.
        trace_ids: One per failure.
        last: trace_id → cluster_id of the last run, "" for noise.
    """
    votes: dict[int, dict[str, int]] = {}
    for trace_id, group in zip(trace_ids, groups.group_of.tolist(), strict=True):
        if trace_id in last:
            vote = votes.setdefault(group, {})
            vote[last[trace_id]] = vote.get(last[trace_id], 0) + 1
    return {
        trace_ids[groups.first[group]]: min(vote, key=lambda name: (not name, -vote[name], name))
        for group, vote in votes.items()
    }


def night_of(trace_ids: Sequence[str], groups: Collapsed, found: Clustering) -> Night:
    """Return a run as `match` and the next run see it, duplicates included."""
    names = [one.cluster_id for one in found.clusters]
    labels = found.labels[groups.group_of].tolist()
    return Night(
        members={
            trace_id: "" if label == NOISE else names[label]
            for trace_id, label in zip(trace_ids, labels, strict=True)
        },
        medoids={one.cluster_id: one.medoid_trace_id for one in found.clusters},
        lines={one.cluster_id: one.line for one in found.clusters},
    )


def renamed(found: Clustering, ids: Mapping[str, str]) -> Clustering:
    """Return the clustering with the ids that its clusters finally have."""
    clusters = tuple(replace(one, cluster_id=ids[one.cluster_id]) for one in found.clusters)
    return replace(found, clusters=clusters)
