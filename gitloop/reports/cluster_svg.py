"""The map of clusters as one SVG: dots are failures, bubbles are clusters, names stand on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

PALETTE = 8
"""Routes that have a colour of their own; further ones share the last."""

CSS = """
.map{--ink:#1b1f23;--soft:#5c6670;--disc:#f3f5f6;--line:#d5dadd;--k0:#3b6fd4;--k1:#c2571a;
--k2:#1f8a5b;--k3:#8a4fc4;--k4:#b3367a;--k5:#8a7a12;--k6:#147f94;--k7:#6b7680;--noise:#9aa4ad}
@media(prefers-color-scheme:dark){.map{--ink:#e6e8ea;--soft:#9aa4ad;--disc:#1f2429;--line:#363d44;
--k0:#7ea6f2;--k1:#f0945c;--k2:#54c490;--k3:#b98bea;--k4:#ea7fb4;--k5:#cdbb4b;--k6:#52bdd2;
--k7:#9aa4ad;--noise:#6b7680}}
.map text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--ink);
text-anchor:middle}.map .name{font-weight:600}.map .soft{fill:var(--soft);font-size:11.5px}
.map .left{text-anchor:start}.map circle.disc{fill:var(--disc);stroke:var(--line)}
.map .dots{fill:none;stroke-linecap:round}.map a:hover .disc,.map a:focus .disc{stroke:var(--ink)}
.map rect.rule{fill:var(--line)}
""" + "".join(f".map .k{n}{{stroke:var(--k{n})}}.map .f{n}{{fill:var(--k{n})}}" for n in range(8))
CSS += ".map .lone{stroke:var(--noise)}\n"

_KEY_ROW = 22


def render(value: Mapping[str, Any], *, is_linked: bool = False) -> str:
    """The map of a `gitloop.cluster_map/v1` document.

    Args:
        value: The document.
        is_linked: Whether each bubble leads to the cluster's place on the page.
    """
    layout = value["layout"]
    colours = route_colours(value["clusters"])
    top = _KEY_ROW + 10 if colours else 0
    width, height = layout["width"], layout["height"] + top
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg class="map" xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title(value))}</title>",
        "" if is_linked else f"<style>{CSS}</style>",
        _key(colours),
        f'<g transform="translate(0 {top})">',
        *(
            _bubble(cluster, bubble, layout["dot"], colours, is_linked=is_linked)
            for cluster, bubble in zip(value["clusters"], layout["bubbles"], strict=True)
        ),
        _noise(value),
        "</g>",
        "</svg>",
    ]
    return "\n".join(filter(None, parts)) + "\n"


def title(value: Mapping[str, Any]) -> str:
    """The map in a sentence."""
    return (
        f"{value['n_failures']:,} failures: {len(value['clusters'])} clusters,"
        f" {value['n_noise']:,} one-offs"
    )


def route_colours(clusters: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Route → number of its colour, the routes of most clusters' failures first."""
    weight: dict[str, int] = {}
    for cluster in clusters:
        for route in cluster["routes"][:1]:
            weight[route] = weight.get(route, 0) + cluster["size"]
    ranked = sorted(weight, key=lambda route: (-weight[route], route))
    return {route: min(n, PALETTE - 1) for n, route in enumerate(ranked)}


def _key(colours: Mapping[str, int]) -> str:
    """Which colour is which route."""
    parts, x = [], 16.0
    for route, number in colours.items():
        if number == PALETTE - 1 and len(colours) > PALETTE:
            parts.append(_key_entry("other routes", number, x))
            break
        parts.append(_key_entry(route, number, x))
        x += 34 + 7.0 * len(route)
    return "".join(parts)


def _key_entry(name: str, number: int, x: float) -> str:
    return (
        f'<circle class="f{number}" cx="{x:g}" cy="16" r="5"/>'
        f'<text class="soft left" x="{x + 10:g}" y="20">{escape(name)}</text>'
    )


def _bubble(
    cluster: Mapping[str, Any],
    bubble: Mapping[str, Any],
    dot: float,
    colours: Mapping[str, int],
    *,
    is_linked: bool,
) -> str:
    x, y, radius = bubble["x"], bubble["y"], bubble["radius"]
    colour = colours.get(cluster["routes"][0], PALETTE - 1) if cluster["routes"] else PALETTE - 1
    tip = f"{cluster['name']}: {cluster['size']} failures. {cluster['line']}"
    lines = [
        f'<text class="name" x="{x:g}" y="{y + radius + 15 * (n + 1):g}">{escape(line)}</text>'
        for n, line in enumerate(bubble["label"])
    ]
    below = y + radius + 15 * (len(bubble["label"]) + 1)
    mark = " · new" if cluster["is_new"] else ""
    told = f"{cluster['size']} · {cluster['cluster_id']}{mark}"
    body = (
        f"<title>{escape(tip)}</title>"
        f'<circle class="disc" cx="{x:g}" cy="{y:g}" r="{radius:g}"/>'
        f'<path class="dots k{colour}" stroke-width="{2 * dot:g}" d="{_path(bubble["dots"])}"/>'
        f'{"".join(lines)}<text class="soft" x="{x:g}" y="{below:g}">{escape(told)}</text>'
    )
    if is_linked:
        return f'<a href="#{escape(cluster["cluster_id"])}">{body}</a>'
    return f"<g>{body}</g>"


def _noise(value: Mapping[str, Any]) -> str:
    layout = value["layout"]
    y = layout["noise_top"]
    per_dot = f"; a dot is {layout['per_dot']} failures" if layout["per_dot"] > 1 else ""
    told = f"one-offs, in no cluster: {value['n_noise']:,}{per_dot}"
    return (
        f'<rect class="rule" x="14" y="{y - 6:g}" width="{layout["width"] - 28:g}" height="1"/>'
        f'<text class="soft left" x="16" y="{y + 15:g}">{told}</text>'
        f'<path class="dots lone" stroke-width="{2 * layout["dot"]:g}"'
        f' d="{_path(layout["noise"])}"/>'
    )


def _path(dots: Sequence[Sequence[float]]) -> str:
    """Round caps on lines of length zero: a dot in a dozen bytes."""
    return "".join(f"M{x:g} {y:g}h0" for x, y in dots)
