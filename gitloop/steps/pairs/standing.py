"""Where the pairs stand: what people said of them, how far they agree, and what becomes of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import polars as pl

from gitloop.core.label import PREFERENCE_RUBRIC, Case, Item, Session, turned
from gitloop.core.pairs.agreement import (
    Said,
    StratumAgreement,
    measure,
    sides_said,
    units_of,
    units_of_votes,
)
from gitloop.core.pairs.cleaning import clean
from gitloop.core.pairs.fates import Fate, fates, settled_by
from gitloop.core.pairs.labelling import pair_labels
from gitloop.core.pairs.masking import Scan, mask_rows
from gitloop.core.promote import find_secrets, mask
from gitloop.storage.labels import scan_labels
from gitloop.storage.parts import read_parts
from gitloop.storage.votes import read_votes
from gitloop.tables import GOLDEN, PAIRS, TRACES
from gitloop.workspace import Workspace

PATH = "loop/pairs/pairs.parquet"
REWARDS_PATH = "loop/pairs/rewards.parquet"
METRICS_PATH = "loop/pairs/metrics.json"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the pairs stand.

    Attributes:
        pairs: Fits `tables.PAIRS`.
        labels: Pair labels under the current guidance.
        said: What annotators said of pairs, and voters of comparisons.
        strata: The agreement on each stratum.
        fates: What becomes of each pair, in the order of `pairs`.
    """

    pairs: pl.DataFrame
    labels: pl.DataFrame
    said: Said
    strata: tuple[StratumAgreement, ...]
    fates: tuple[Fate, ...]

    def said_of_pairs(self) -> Said:
        """What annotators said of pairs; votes were cast elsewhere, in an order of their own."""
        own = set(self.pairs["pair_id"].to_list())
        return {pair_id: by for pair_id, by in self.said.items() if pair_id in own}

    def of_state(self, state: str) -> pl.DataFrame:
        """The pairs of a state: "train", "review" or "dropped"."""
        ids = [fate.pair_id for fate in self.fates if fate.state == state]
        return self.pairs.filter(pl.col("pair_id").is_in(ids))


def standing(workspace: Workspace) -> Standing:
    """Where the pairs stand, from loop/pairs/pairs.parquet, labels and votes.

    Raises:
        DataError: Pairs were not built, or a label file is faulty.
    """
    params = workspace.params
    pairs = workspace.read(PATH, PAIRS)
    scan = scan_labels(workspace.root)
    labels = pair_labels(scan.labels, params.labels.guidance_version)
    said = sides_said(labels)
    rows = pairs.to_dicts()
    units = units_of(rows)
    if "votes" in params.pairs.sources:
        traces = read_parts(workspace.root, workspace.dvc, "data/traces", TRACES)
        known = {
            row["trace_id"]: row for row in traces.select("trace_id", "route").iter_rows(named=True)
        }
        more, cast = units_of_votes(read_votes(workspace.root), known)
        units, said = [*units, *more], {**said, **cast}
    policy = params.pairs.agreement
    strata = tuple(measure(units, said, policy, seed=params.seed))
    decided = fates(rows, said, settled_by(labels), strata, policy)
    return Standing(pairs, labels, said, strata, tuple(decided))


def first_side(seed: int, pair_id: str, annotator: str) -> str:
    """The side, "a" or "b", that an annotator sees first, on the page and in the terminal."""
    session = Session(annotator, "annotator", "", {}, 1.0)
    item = Item(Case("pair", pair_id, pair_id), PREFERENCE_RUBRIC)
    return "b" if turned(session, item, seed) else "a"


def every_golden_row(workspace: Workspace) -> tuple[pl.DataFrame, dict[str, tuple[str, str]]]:
    """(rows of every golden set that there is, in use or not; set → version and digest)."""
    frames, versions = [GOLDEN.empty()], {}
    for path in sorted(workspace.root.glob("golden/*/dataset.yaml")):
        golden = workspace.golden(path.parent.name)
        frames.append(golden.read())
        versions[path.parent.name] = (golden.version(), golden.sha256())
    return pl.concat(frames), versions


@dataclass(frozen=True, slots=True)
class Exportable:
    """The pairs that may be exported.

    Attributes:
        pairs: Fits `tables.PAIRS`; personal data in the texts is masked.
        left_out: Reason → pairs that were built and are not exported.
        masked: Kind of personal data → how often it was masked in them.
    """

    pairs: pl.DataFrame
    left_out: dict[str, int]
    masked: dict[str, int]


def scan_of(workspace: Workspace) -> Scan:
    """How texts are scanned: as a promotion does it, and as params.yaml says."""
    return Scan(mask, find_secrets, blocks=workspace.params.pairs.personal_data == "block")


def exportable(workspace: Workspace, where: Standing, golden: pl.DataFrame) -> Exportable:
    """The pairs that train or are held out, free of secrets, golden rows, repeats and leaks."""
    params = workspace.params.pairs
    masked = mask_rows(where.of_state("train"), scan_of(workspace), key="pair_id")
    cleaned = clean(
        masked.rows,
        golden,
        near_duplicate=params.near_duplicate,
        keeps_near=params.keep_near_duplicates,
    )
    left_out = Counter(fate.reason for fate in where.fates if fate.state != "train")
    left_out.update([*masked.dropped.values(), *cleaned.dropped.values()])
    kinds = masked.counts(cleaned.pairs["pair_id"])
    return Exportable(cleaned.pairs, dict(sorted(left_out.items())), kinds)
