"""Golden rows as text, one line per row: what Git shows in place of a pointer's two digests."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from gitloop.digests import row_text
from gitloop.storage.files import write_text


def row_lines(rows: pl.DataFrame) -> str:
    """One line of canonical JSON per row, sorted by row_id, the id first."""
    ordered = rows.sort("row_id")
    return "".join(
        f"{row['row_id']} {row_text({k: v for k, v in row.items() if k != 'row_id'})}\n"
        for row in ordered.iter_rows(named=True)
    )


def remember(scratch: Path, md5: str, lines: str) -> None:
    """Keep a part's lines where the shell of the textconv driver looks for them."""
    write_text(scratch / "rows" / f"{md5}.txt", lines)
