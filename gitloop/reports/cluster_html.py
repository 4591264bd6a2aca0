"""The map of clusters as a page: no script, nothing loaded, every text of a user escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from gitloop.reports import cluster_svg
from gitloop.reports.gate_style import CSS

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
main{max-width:78rem}.scroll{overflow:auto;max-height:85vh}.scroll svg.map{min-width:0;width:auto;
max-width:none;margin:0 auto}.bar{display:inline-block;height:.6rem;border-radius:.2rem;
background:var(--now);vertical-align:middle}ol.members{margin:.5rem 0;padding-left:2.2rem}
ol.members li{margin:.2rem 0;overflow-wrap:anywhere}summary{list-style-position:outside}
details:target{outline:2px solid var(--now);outline-offset:.3rem;border-radius:.3rem}
.tag{border:1px solid var(--line);border-radius:.3rem;padding:0 .35rem;font-size:.82rem}
"""


def render(value: Mapping[str, Any]) -> str:
    """The page of a `gitloop.cluster_map/v1` document."""
    heaviest = max((cluster["weight"] for cluster in value["clusters"]), default=1.0)
    sections = [
        f"<h1>{escape(cluster_svg.title(value))}</h1>",
        f'<p class="soft">{escape(_basis(value))}</p>',
        f'<div class="card scroll">{cluster_svg.render(value, is_linked=True)}</div>',
        "<h2>Clusters, the heaviest first</h2>",
        '<div class="card">'
        + "".join(_cluster(cluster, heaviest) for cluster in value["clusters"])
        + "</div>",
        "<h2>One-offs</h2>",
        f'<div class="card">{_noise(value)}</div>',
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>gitloop clusters</title>\n<style>{CSS}{_STYLE}{cluster_svg.CSS}</style>\n"
        "</head>\n<body>\n<main>\n" + "\n".join(sections) + "\n</main>\n</body>\n</html>\n"
    )


def _basis(value: Mapping[str, Any]) -> str:
    told = f"Embedded by {value['embedder']}; a dot is "
    told += "a failure" if value["layout"]["per_dot"] == 1 else "several failures"
    told += ", the strongest member in the middle. Like lies beside like."
    if value["stability"] is not None:
        told += f" Stability {value['stability']:.2f}."
    return told


def _cluster(cluster: Mapping[str, Any], heaviest: float) -> str:
    width = round(8 * cluster["weight"] / heaviest, 2)
    routes = "".join(f' <span class="tag">{escape(route)}</span>' for route in cluster["routes"])
    stability = ""
    if cluster["stability"] is not None:
        stability = f' <span class="soft">stability {cluster["stability"]:.2f}</span>'
    new = ' <span class="tag">new</span>' if cluster["is_new"] else ""
    more = cluster["size"] - len(cluster["members"])
    rest = f'<p class="soft">and {more:,} more, in members.parquet</p>' if more > 0 else ""
    return (
        f'<details id="{escape(cluster["cluster_id"])}"><summary><b>{escape(cluster["name"])}</b>'
        f' {cluster["size"]:,} <span class="bar" style="width:{width}rem"></span>'
        f" <code>{escape(cluster['cluster_id'])}</code>{routes}{new}{stability}</summary>"
        f'<ol class="members">{"".join(map(_member, cluster["members"]))}</ol>{rest}</details>'
    )


def _member(member: Mapping[str, Any]) -> str:
    mark = ' <span class="tag">label first</span>' if member["is_representative"] else ""
    next_best = f", next {member['runner_up']}" if member["runner_up"] else ""
    told = f"{member['trace_id']}, membership {member['probability']:.2f}{next_best}"
    return f'<li>{escape(member["line"])}{mark} <span class="soft mono">{escape(told)}</span></li>'


def _noise(value: Mapping[str, Any]) -> str:
    if not value["noise"]:
        return '<p class="soft">There are none.</p>'
    rows = "".join(
        f'<li>{escape(one["line"])} <span class="soft mono">{escape(one["trace_id"])}</span></li>'
        for one in value["noise"]
    )
    more = value["n_noise"] - len(value["noise"])
    rest = f'<p class="soft">and {more:,} more, in members.parquet</p>' if more > 0 else ""
    return f'<ol class="members">{rows}</ol>{rest}'
