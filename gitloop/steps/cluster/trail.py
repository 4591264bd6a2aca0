"""What became of a cluster that a ticket, a label or a golden row names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.core.cluster import whereabouts
from gitloop.documents import nearest
from gitloop.errors import DataError
from gitloop.steps.cluster.nights import CLUSTERS_PATH, LEDGER, read_ledger
from gitloop.tables import CLUSTERS
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Trail:
    """A cluster's life.

    Attributes:
        cluster_id: The id that was asked about.
        born_in: Night it was born in, from 1.
        died_in: Night it died in, or None while it lives.
        n_nights: Nights in the ledger.
        heirs: Living cluster_id → its name; itself while it lives.
    """

    cluster_id: str
    born_in: int
    died_in: int | None
    n_nights: int
    heirs: dict[str, str]


def trail(directory: Path, cluster_id: str) -> Trail:
    """Follow a cluster through the ledger of nights to the clusters that live.

    Raises:
        DataError: No night knows the id, or the ledger is damaged.
    """
    workspace = Workspace(directory)
    lines = read_ledger(workspace)
    found = whereabouts(lines, cluster_id)
    if found.born_in is None:
        known = sorted({name for line in lines for name in line.births})
        like = nearest(cluster_id, known)
        raise DataError(
            f"no night in {LEDGER} knows a cluster {cluster_id}"
            + (f"; did you mean {like}?" if like else ""),
            hint="run: gitloop cluster",
        )
    names: dict[str, str] = {}
    if (workspace.root / CLUSTERS_PATH).is_file():
        rows = workspace.read(CLUSTERS_PATH, CLUSTERS).filter(
            pl.col("cluster_id").is_in(list(found.heirs))
        )
        names = dict(rows.select("cluster_id", "name").iter_rows())
    heirs = {heir: names.get(heir, "") for heir in found.heirs}
    return Trail(cluster_id, found.born_in, found.died_in, len(lines), heirs)
