"""The map: no label on another, every failure a dot, nothing of a user unescaped."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.core.cluster import Clustering, ClusterSettings, Layout, cluster, lay_out
from gitloop.core.cluster.layout import CHARACTER, LINE_HEIGHT, wrapped
from gitloop.reports import cluster_html, cluster_svg

SVG = "{http://www.w3.org/2000/svg}"


def clustered(n_topics: int, n_each: int = 12) -> tuple[Clustering, np.ndarray]:
    """Well-parted topics in as many directions, and two strays."""
    dice = np.random.default_rng(3)
    centres = np.eye(n_topics + 2, 40)
    rows = np.repeat(centres[:n_topics], n_each, axis=0)
    vectors = np.vstack([rows + 0.05 * dice.normal(size=rows.shape), centres[n_topics:]])
    n = len(vectors)
    texts = [f"topic {row // n_each} words and <b>marks</b> & more" for row in range(n)]
    ids = [f"t{row:04}" for row in range(n)]
    found = cluster(texts, vectors, ids, np.ones(n), ClusterSettings(stability_draws=2))
    return found, vectors.astype(np.float32)


def boxes(layout: Layout) -> np.ndarray:
    """Left, top, right and bottom of every bubble with its label."""
    found = []
    for one in layout.bubbles:
        half = max(one.radius, CHARACTER * max(map(len, one.label)) / 2)
        below = LINE_HEIGHT * (len(one.label) + 1)
        found.append((one.x - half, one.y - one.radius, one.x + half, one.y + one.radius + below))
    return np.array(found)


@pytest.mark.parametrize("n_topics", [1, 2, 3, 30])
def test_no_bubble_or_label_lies_on_another(n_topics: int) -> None:
    """Boxes of discs with their labels are disjoint and lie within the map."""
    found, vectors = clustered(n_topics)
    sizes = [one.n_items for one in found.clusters]
    layout = lay_out(found, vectors, sizes, int((found.labels < 0).sum()))
    edges = boxes(layout)
    for row in range(len(edges)):
        others = np.delete(edges, row, axis=0)
        apart = (
            (others[:, 2] <= edges[row, 0])
            | (others[:, 0] >= edges[row, 2])
            | (others[:, 3] <= edges[row, 1])
            | (others[:, 1] >= edges[row, 3])
        )
        assert apart.all()
    assert edges.min() >= 0
    assert edges[:, 2].max() <= layout.width
    assert edges[:, 3].max() <= layout.noise_top
    assert [len(one.dots) for one in layout.bubbles] == sizes


def test_many_failures_share_dots() -> None:
    """Of 100,000 failures a dot stands for several, and says so."""
    found, vectors = clustered(2)
    layout = lay_out(found, vectors, [60_000, 30_000], 10_000)
    assert layout.per_dot == 5
    assert len(layout.noise) == 2_000


def test_an_all_noise_map_has_no_bubble() -> None:
    """Nothing but one-offs: a strip of dots."""
    found, vectors = clustered(1, n_each=2)
    layout = lay_out(found, vectors, [], 4)
    assert (layout.bubbles, len(layout.noise)) == ((), 4)


@settings(max_examples=40)
@given(st.text(max_size=120))
def test_a_name_takes_two_lines_at_most(name: str) -> None:
    """Whatever a cluster is called, its label is one or two short lines."""
    lines = wrapped(name)
    assert 1 <= len(lines) <= 2
    assert max(map(len, lines)) <= 24


def document(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A map document whose texts are hostile."""
    found, vectors = clustered(3)
    sizes = [one.n_items for one in found.clusters]
    hostile = "</title><script>alert(1)</script>"
    return {
        "schema": "gitloop.cluster_map/v1",
        "n_failures": 38,
        "n_noise": 2,
        "stability": 0.9,
        "embedder": "tfidf",
        "layout": asdict(lay_out(found, vectors, sizes, 2)),
        "clusters": [
            {
                "cluster_id": one.cluster_id,
                "name": hostile,
                "size": one.n_items,
                "weight": one.weight,
                "routes": [hostile],
                "line": hostile,
                "stability": one.stability,
                "is_new": True,
                "members": [
                    {
                        "trace_id": hostile,
                        "line": hostile,
                        "probability": 1.0,
                        "runner_up": None,
                        "is_representative": True,
                    }
                ],
            }
            for one in found.clusters
        ],
        "noise": [{"trace_id": "lonely", "line": hostile}],
        **changes,
    }


def test_the_svg_is_well_formed_and_shows_the_names() -> None:
    """An XML parser reads it; each cluster has its name, size and id; texts of users are text."""
    tree = ET.fromstring(cluster_svg.render(document()))  # noqa: S314 -- our own bytes
    texts = [node.text or "" for node in tree.iter(f"{SVG}text")]
    assert sum(" · c-" in text for text in texts) == 3
    assert any("script" in text for text in texts)
    assert not list(tree.iter(f"{SVG}script"))


def test_the_page_is_self_contained_and_escaped() -> None:
    """No script, nothing loaded from elsewhere; one-offs are listed; bubbles lead to clusters."""
    value = document()
    page = cluster_html.render(value)
    assert "<script" not in page
    assert "http://www.w3.org/2000/svg" in page
    assert page.count("http") == page.count("http://www.w3.org/2000/svg") + page.count("http-equiv")
    assert "lonely" in page
    for cluster_row in value["clusters"]:
        assert f'href="#{cluster_row["cluster_id"]}"' in page
        assert f'id="{cluster_row["cluster_id"]}"' in page
