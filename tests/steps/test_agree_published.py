"""`gitloop agree` on real label files of public data: the figures that others published."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from gitloop.core.agree import agree as core_agree
from gitloop.steps.agree import agree
from gitloop.storage.labels import append_labels
from tests.labelled import label, labelled_repository, labels
from tests.stats.published import read_expected, read_rows

pytestmark = pytest.mark.slow


def by_annotator(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each annotator's file."""
    found = defaultdict(list)
    for row in rows:
        found[row["annotator"]].append(row)
    return found


def test_pandalm_kappas_from_label_files(tmp_path: Path) -> None:
    """Three annotators' kappas and alpha are the published ones, though one voted twice at first.

    The first 50 votes of annotator1 stand in the file a second time, before the real ones and the
    other way round: the last word of a person counts, and the superseded lines are told.
    """
    repository = labelled_repository(tmp_path / "repository", 1)
    rows = [
        label(
            row["pair_id"], row["winner"], row["annotator"], item_kind="pair",
            item_id=row["pair_id"], rubric="preference",
        )
        for row in read_rows("pandalm/votes.jsonl")
        if row["annotator"].startswith("annotator")
    ]  # fmt: skip
    turned = {"a": "b", "b": "a", "tie": "a"}
    first = [row | {"label": turned[row["label"]]} for row in rows if row["annotator"][-1] == "1"]
    append_labels(repository.root, "annotator1", first[:50])
    for name, own in by_annotator(rows).items():
        append_labels(repository.root, name, own)
    report = agree(repository.root)
    (found,) = report.rubrics
    expected = read_expected()["pandalm"]
    assert report.n_superseded == 50
    for pair in found.pairs:
        key = f"kappa_{pair.annotators[0]}_{pair.annotators[1]}"
        assert pair.kappa.value == pytest.approx(expected[key], abs=0.001)
        assert pair.kappa.interval is not None
    assert found.alpha.value == pytest.approx(expected["alpha_nominal"], abs=0.001)
    assert [pair.kappa.value for pair in found.pairs] == pytest.approx(
        [0.85, 0.88, 0.86], abs=0.005
    )


def test_xsum_alpha_with_gaps() -> None:
    """Two or three of four annotators per summary: alpha and agreement are the independent ones."""
    expected = read_expected()["per_dataset"]["xsum_halluc"]
    rows = [
        label(row["trace_id"], row["label"], row["annotator"], rubric=row["rubric"], score=None)
        for row in read_rows("xsum_halluc/labels.jsonl")
        if row["annotator_type"] == "human_crowd" and row["label"] is not None
    ]
    for found in core_agree(labels(rows), seed=0):
        alpha, raw = f"alpha_nominal_{found.rubric}", f"pairwise_agree_{found.rubric}"
        assert found.alpha.value == pytest.approx(expected[alpha], abs=0.001)
        assert found.raw.value == pytest.approx(expected[raw], abs=0.001)
        assert {figure.n_raters for figure in (found.alpha, found.fleiss, found.ac1)} == {3}


def test_dices_alpha_of_123_raters() -> None:
    """Alpha of 43,050 verdicts on 350 items is the independent one, and every pair is counted."""
    rows = [
        label(row["item_id"], verdict, f"r{place:03}", rubric="safety", score=None)
        for row in read_rows("dices/dices_350.jsonl")
        for place, verdict in enumerate(row["labels"])
    ]
    (found,) = core_agree(labels(rows), seed=0)
    assert found.alpha.value == pytest.approx(read_expected()["dices"]["alpha_nominal"], abs=0.001)
    assert (found.n_items, found.n_pairs, len(found.people)) == (350, 123 * 122 // 2, 123)
