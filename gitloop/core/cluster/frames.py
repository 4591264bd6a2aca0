"""A `Clustering` as the tables that the loop keeps."""

from __future__ import annotations

import numpy as np
import polars as pl

from gitloop.core.cluster.duplicates import Collapsed
from gitloop.core.cluster.results import NOISE, Clustering
from gitloop.tables import CLUSTERS, MEMBERS


def members_of(failures: pl.DataFrame, groups: Collapsed, found: Clustering) -> pl.DataFrame:
    """Every failure with its cluster; one that says what another says shares its place.

    Args:
        failures: trace_id, weight, text, feedback_ids; one row per failure.
        groups: Which failures say the same.
        found: The clustering of the groups, in their order.

    Returns:
        Fits `tables.MEMBERS`.
    """
    ids = [cluster.cluster_id for cluster in found.clusters]

    def named(labels: np.ndarray) -> list[str | None]:
        return [
            None if label == NOISE else ids[label] for label in labels[groups.group_of].tolist()
        ]

    return failures.select(
        "trace_id",
        pl.Series("cluster_id", named(found.labels), dtype=pl.String),
        pl.Series("probability", np.round(found.membership[groups.group_of], 6)),
        pl.Series("runner_up", named(found.runner_up), dtype=pl.String),
        pl.Series("margin", found.margin[groups.group_of]).fill_nan(None),
        pl.Series("is_soft", found.soft[groups.group_of]),
        "weight",
        "text",
        "feedback_ids",
    ).select(MEMBERS.schema.names())


def clusters_of(failures: pl.DataFrame, members: pl.DataFrame, found: Clustering) -> pl.DataFrame:
    """Every cluster with its size, its representatives and where it happens.

    Args:
        failures: trace_id, route, user_cohort, prompt_version.
        members: Fits `tables.MEMBERS`.
        found: The clustering.

    Returns:
        Fits `tables.CLUSTERS`.
    """
    places = members.join(failures.drop("weight", "text", "feedback_ids"), on="trace_id")
    rows = []
    for cluster in found.clusters:
        own = places.filter(pl.col("cluster_id") == cluster.cluster_id)
        rows.append(
            {
                "cluster_id": cluster.cluster_id,
                "name": cluster.name,
                "size": own.height,
                "weight": round(float(own["weight"].sum()), 6),
                "medoid_trace_id": cluster.medoid_trace_id,
                "medoid_line": cluster.line,
                "representatives": list(cluster.representatives),
                "cohesion": round(cluster.cohesion, 6),
                "stability": cluster.stability,
                "routes": _by_frequency(own["route"]),
                "user_cohorts": _by_frequency(own["user_cohort"]),
                "prompt_versions": _by_frequency(own["prompt_version"]),
            }
        )
    return pl.DataFrame(rows, schema=CLUSTERS.schema)


def _by_frequency(values: pl.Series) -> list[str]:
    """The values, most frequent first, equal ones by name."""
    counted = (
        values.drop_nulls().value_counts().sort("count", values.name, descending=[True, False])
    )
    return [str(value) for value in counted[values.name].to_list()]
