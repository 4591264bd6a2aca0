"""What `gitloop log` shows: no line is wider than the terminal, and what is left out is counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitloop.cli.log import _lines
from gitloop.cli.terminal import WIDTH
from gitloop.steps.log import LogEntry


@given(
    n=st.integers(1, 60), why=st.text(st.characters(codec="ascii", categories=["L"]), max_size=99)
)
def test_every_line_fits_and_every_cluster_is_counted(n: int, why: str) -> None:
    """However many clusters a promotion took, and whatever the reason for it."""
    clusters = tuple(f"clu_{number:08x}" for number in range(n))
    entry = LogEntry(
        record="2026-05-01",
        version="2026.05-abc123",
        kind="promote",
        why=why,
        created_at="2026-05-01T12:00:00Z",
        n_added=n,
        n_changed=0,
        n_retired=0,
        n_rows=n,
        clusters=clusters,
        parents=(),
        annotators=("amara",),
        commit="0" * 40,
        author="Amara",
        subject="Promote",
    )
    lines = _lines([entry], is_graph=True)
    assert max(map(len, lines)) <= WIDTH
    shown = [name for name in clusters if name in lines[-1]]
    left = lines[-1].rpartition(" and ")[2].removesuffix(" more") if len(shown) < n else "0"
    assert len(shown) + int(left) == n
