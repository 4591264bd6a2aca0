"""Where clusters lie on the map: like beside like, no two on top of each other, dots within."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gitloop.core.cluster.graph import group_centres, unit_rows
from gitloop.core.cluster.results import NOISE, Clustering

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOLDEN_ANGLE = math.pi * (3.0 - math.sqrt(5.0))
LINE_HEIGHT, CHARACTER = 15.0, 8.0
"""Pixels of a label's line and of an average character of it."""

MOST_DOTS = 20_000
"""Dots drawn at most; of more failures, each dot stands for several."""

_LABEL_WIDTH = 24
_ASPECT = 1.5
_GAP = 14.0
_ROUNDS = 600
_DECIMALS = 1


@dataclass(frozen=True, slots=True)
class Bubble:
    """A cluster on the map, in pixels.

    Attributes:
        x: Centre of its dots.
        y: The same, growing downwards.
        radius: Of the disc that holds the dots.
        dots: Where each dot lies, the strongest member in the middle.
        label: Its name in lines.
    """

    x: float
    y: float
    radius: float
    dots: tuple[tuple[float, float], ...]
    label: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The map, in pixels.

    Attributes:
        width: Of the whole.
        height: Of the whole.
        dot: Radius of a dot.
        per_dot: Failures that a dot stands for.
        bubbles: In the order of the clusters.
        noise: Where the dots of one-offs lie.
        noise_top: Where their strip begins.
    """

    width: float
    height: float
    dot: float
    per_dot: int
    bubbles: tuple[Bubble, ...]
    noise: tuple[tuple[float, float], ...]
    noise_top: float


def lay_out(
    found: Clustering, vectors: NDArray[np.float32], sizes: Sequence[int], n_noise: int
) -> Layout:
    """Return the map of a clustering; nothing in it is drawn by lot.

    Centres go where classical scaling of their cosines puts them (Torgerson 1952), and are then
    pushed apart until no label lies on another. Members lie in a sunflower around the centre.

    Args:
        found: The clustering.
        vectors: The embedding of each of its items, (n, d).
        sizes: Failures per cluster, duplicates counted, in the order of the clusters.
        n_noise: One-offs, duplicates counted.
    """
    total = sum(sizes) + n_noise
    per_dot = max(1, math.ceil(total / MOST_DOTS))
    step = max(2.6, min(9.0, 300.0 / math.sqrt(max(1, total))))
    counts = [math.ceil(size / per_dot) for size in sizes]
    radii = [step * math.sqrt(count) + step for count in counts]
    labels = [wrapped(one.name) for one in found.clusters]
    boxes = np.array(
        [
            (max(2 * radius, CHARACTER * max(map(len, label))), _height(radius, label))
            for radius, label in zip(radii, labels, strict=True)
        ]
    ).reshape(-1, 2)
    places = _apart(_scaled(_centres(found, vectors), boxes), boxes + _GAP)
    low = (places - boxes / 2).min(axis=0, initial=0.0)
    places = places - low + _GAP
    high = (places + boxes / 2).max(axis=0, initial=120.0)
    width = max(720.0, float(high[0]) + _GAP)
    places[:, 0] += (width - float(high[0]) - _GAP) / 2
    bubbles = [
        _bubble(place, box, radius, count, step, label)
        for place, box, radius, count, label in zip(
            places.tolist(), boxes.tolist(), radii, counts, labels, strict=True
        )
    ]
    top = float(high[1]) + 3 * _GAP
    noise = _strip(math.ceil(n_noise / per_dot), width, top + 2 * LINE_HEIGHT, 2 * step)
    bottom = max([y for _, y in noise], default=top + LINE_HEIGHT) + 2 * _GAP
    return Layout(
        width=round(width),
        height=round(bottom),
        dot=round(step * 0.72, 2),
        per_dot=per_dot,
        bubbles=tuple(bubbles),
        noise=noise,
        noise_top=round(top, _DECIMALS),
    )


def wrapped(name: str) -> tuple[str, ...]:
    """Return a name in at most two lines of at most 24 characters."""
    lines = [""]
    for word in name.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) <= _LABEL_WIDTH or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    cut = [line if len(line) <= _LABEL_WIDTH else f"{line[: _LABEL_WIDTH - 1]}…" for line in lines]
    if len(cut) > 2:
        cut = [cut[0], f"{cut[1][: _LABEL_WIDTH - 1]}…"]
    return tuple(cut)


def _height(radius: float, label: Sequence[str]) -> float:
    """Disc, name, and the line with size and id."""
    return 2 * radius + LINE_HEIGHT * (len(label) + 1) + 6


def _centres(found: Clustering, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return two coordinates per cluster by classical scaling, each with a fixed sign."""
    k = len(found.clusters)
    labels = np.where(found.soft, NOISE, found.labels)
    centres = group_centres(unit_rows(vectors), labels, k).astype(np.float64)
    gram = np.round(centres @ centres.T, 6)
    centring = np.eye(k) - 1.0 / max(1, k)
    values, axes = np.linalg.eigh(centring @ gram @ centring)
    flat = np.zeros((k, 2))
    n_axes = min(2, k)
    flat[:, :n_axes] = axes[:, ::-1][:, :n_axes] * np.sqrt(
        np.clip(values[::-1][:n_axes], 0.0, None)
    )
    if k:
        peaks = flat[np.abs(flat).argmax(axis=0), np.arange(2)]
        flat *= np.where(peaks < 0, -1.0, 1.0)
    return np.round(flat, 6)


def _scaled(places: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the places spread over an area that the boxes would just about fill."""
    if len(places) < 2:
        return places
    # By rank: outliers would crowd all others into one corner.
    ranks = np.argsort(np.argsort(places, axis=0, kind="stable"), axis=0, kind="stable")
    even = ranks / (len(places) - 1) - 0.5
    spread = np.abs(places).max(axis=0)
    mixed = 0.5 * even + 0.25 * places / np.where(spread > 0, spread, 1.0)
    side = math.sqrt(float((boxes + _GAP).prod(axis=1).sum()))
    sides = 1.15 * side * np.array([math.sqrt(_ASPECT), 1.0 / math.sqrt(_ASPECT)])
    return np.asarray(mixed * sides, dtype=np.float64)


def _apart(places: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the places pushed apart until no two boxes overlap, or the rounds are over."""
    places = places + np.arange(len(places))[:, np.newaxis] * 1e-3  # no two in one spot
    for _ in range(_ROUNDS):
        apart = places[:, np.newaxis] - places
        overlap = (boxes[:, np.newaxis] + boxes) / 2 - np.abs(apart)
        hit = np.asarray((overlap > 0.5).all(axis=2))
        np.fill_diagonal(hit, val=False)
        if not hit.any():
            break
        part = overlap / (boxes[:, np.newaxis] + boxes)
        sideways = hit & (part[:, :, 0] < part[:, :, 1])
        for axis, pushed in ((0, sideways), (1, hit & ~sideways)):
            direction = np.where(apart[:, :, axis] >= 0, 1.0, -1.0)
            push = np.where(pushed, direction * overlap[:, :, axis] * 0.3, 0.0)
            places[:, axis] += np.clip(push.sum(axis=1), -40.0, 40.0)
    return np.round(places, 3)


def _bubble(
    place: Sequence[float],
    box: Sequence[float],
    radius: float,
    count: int,
    step: float,
    label: tuple[str, ...],
) -> Bubble:
    x, y = place[0], place[1] - box[1] / 2 + radius
    dots = tuple(
        (
            round(x + step * math.sqrt(n + 0.5) * math.cos(n * GOLDEN_ANGLE), _DECIMALS),
            round(y + step * math.sqrt(n + 0.5) * math.sin(n * GOLDEN_ANGLE), _DECIMALS),
        )
        for n in range(count)
    )
    return Bubble(round(x, _DECIMALS), round(y, _DECIMALS), round(radius, _DECIMALS), dots, label)


def _strip(n_dots: int, width: float, top: float, step: float) -> tuple[tuple[float, float], ...]:
    """Return the places of dots in rows."""
    per_row = max(1, int((width - 2 * _GAP) // step))
    return tuple(
        (
            round(_GAP + step * (n % per_row + 0.5), _DECIMALS),
            round(top + step * (n // per_row + 0.5), _DECIMALS),
        )
        for n in range(n_dots)
    )
