"""The whole loop on real data, as `benchmarks/real_loop.py` walks it through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.once import once

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk of the loop.

    Attributes:
        exit_code: Of the program.
        text: What it printed.
        figures: What it found.
        root: The repository that it left.
    """

    exit_code: int
    text: str
    figures: dict[str, Any]
    root: Path


def start(place: Path, data: Path = DATA) -> subprocess.Popen[str]:
    """The program, running."""
    place.mkdir()
    options = ["--data", str(data), "--keep", f"{place}/loop", "--figures", f"{place}/figures.json"]
    return subprocess.Popen(
        [sys.executable, str(ROOT / "benchmarks" / "real_loop.py"), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> list[Walk]:
    """Two walks of the same loop, side by side."""
    if not DATA.is_dir():
        pytest.skip(f"the public data is not there: {DATA}")
    place = once(tmp_path_factory, "walks", _walk_twice)
    return [_found(place / name) for name in ("one", "two")]


def _walk_twice(place: Path) -> None:
    running = [(place / name, start(place / name)) for name in ("one", "two")]
    for own, program in running:
        text, _ = program.communicate()
        (own / "end.json").write_text(json.dumps([program.returncode, text]))


def _found(place: Path) -> Walk:
    code, text = json.loads((place / "end.json").read_text())
    path = place / "figures.json"
    figures = json.loads(path.read_text()) if path.is_file() else {}
    return Walk(code, text, figures, place / "loop" / "repository")


@pytest.mark.slow
def test_every_stage_succeeds(walks: list[Walk]) -> None:
    """The loop ends with 0, and its report fits 80 columns."""
    assert [walk.exit_code for walk in walks] == [0, 0], walks[0].text
    assert max(len(line) for line in walks[0].text.splitlines()) <= 80


@pytest.mark.slow
def test_no_event_is_lost(walks: list[Walk]) -> None:
    """All 2,529 ratings of FeedbackQA and all 2,853 of MTRAG meet their 1,218 traces."""
    figures = walks[0].figures
    assert figures["capture"] == {
        "FeedbackQA traces": 978,
        "MTRAG traces": 240,
        "events of both": 5382,
    }
    assert figures["join"] == {
        "n_events": 5382,
        "n_traces": 1218,
        "n_joined": 5382,
        "n_debug_only": 0,
        "by_signal": {"rating": 2529, "rubric_score": 2853},
    }


@pytest.mark.slow
def test_calibration_gives_the_known_threshold(walks: list[Walk]) -> None:
    """RAGAS faithfulness against the median rating: 0.70, F1 0.8535; less where it was not fitted.

    The reference is `expected.json`, made with scikit-learn.
    """
    found, half = walks[0].figures["calibrate"], walks[0].figures["half"]
    assert (found["n"], found["n_positive"], found["threshold"]) == (240, 150, 0.7)
    assert round(found["objective_value"], 4) == 0.8535
    assert (half["n"], half["threshold"], half["f1_held_out"]) == (108, 0.55, 0.857143)


@pytest.mark.slow
def test_agreement_is_that_of_the_reference(walks: list[Walk]) -> None:
    """Krippendorff's ordinal alpha of the ratings, as the krippendorff package finds it."""
    found = walks[0].figures["agree"]
    assert {rubric: round(it["alpha"], 4) for rubric, it in found.items()} == {
        "completeness": 0.3071,
        "faithfulness": 0.4604,
    }


@pytest.mark.slow
def test_every_clustered_failure_is_promoted_or_told_of(walks: list[Walk]) -> None:
    """Members of clusters = promoted rows + cases left out, each with its reason."""
    found, clustered = walks[0].figures["promote"], walks[0].figures["cluster"]
    n_members = clustered["n_failures"] - clustered["n_noise"]
    assert found["n_promoted"] + sum(found["reasons"].values()) == n_members
    assert sum(found["splits"].values()) == found["n_promoted"] > 0


@pytest.mark.slow
def test_the_gate_lets_the_main_line_pass_and_blocks_the_candidate(walks: list[Walk]) -> None:
    """People's answers pass against themselves; the model in their place is less complete."""
    main, candidate = walks[0].figures["gate_main"], walks[0].figures["gate_candidate"]
    assert (main["verdict"], main["exit_code"], main["n_lost"]) == ("pass", 0, 0)
    assert (candidate["verdict"], candidate["exit_code"]) == ("fail", 2)
    assert candidate["failures"] == ["delta completeness"]


@pytest.mark.slow
def test_votes_become_pairs(walks: list[Walk]) -> None:
    """Each of the 238 pairs becomes a preference, or is counted with the reason why not."""
    found = walks[0].figures["pairs"]
    assert (walks[0].figures["votes"]["n_votes"], found["n_pairs"]) == (594, 189)
    assert found["n_pairs"] + sum(found["dropped"].values()) == 238
    assert (found["n_exported"], round(found["alpha"], 3)) == (183, 0.196)


@pytest.mark.slow
def test_two_walks_leave_the_same_bytes(walks: list[Walk]) -> None:
    """The verdict is the same to the byte, whenever and wherever the loop is walked."""
    one, two = (walk.root / "loop/gate/gate.json" for walk in walks)
    assert one.read_bytes() == two.read_bytes()
    assert walks[0].figures == walks[1].figures


def test_without_the_data_it_says_so(tmp_path: Path) -> None:
    """Where the public data is not there, one line says so, and that is no failure."""
    program = start(tmp_path / "place", tmp_path)
    text, _ = program.communicate()
    assert program.returncode == 0
    assert text.startswith("the real loop needs public data")
    assert text.endswith(": skipped\n")
