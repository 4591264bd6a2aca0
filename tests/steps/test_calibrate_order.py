"""`gitloop judge bias` with a model on the loopback: position bias, and where it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitloop.cli.main import invoke
from gitloop.errors import DataError
from gitloop.steps.calibrate import calibrate, judge_cards, order
from tests.judged import judged_repository
from tests.labelled import label_all, labelled_repository


def fair(shown: str) -> float:
    """What people say."""
    return 0.2 if "ask for Pedro" in shown else 0.8


def hasty(shown: str) -> float:
    """The same, but whatever is asked after the answer passes."""
    return 0.8 if shown.find("<<input") > shown.find("ask for Pedro") > 0 else fair(shown)


def test_an_order_that_decides_is_on_the_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verdicts that turn with the order are counted, written down and shown; then without calls."""
    with judged_repository(tmp_path / "repository", [hasty]) as repository:
        args = ["-C", str(repository.root)]
        calibrate(repository.root)
        (card,) = judge_cards(repository.root)["cards"]
        assert card["position_bias"] == {"reason": "not measured: gitloop judge bias"}
        (found,) = order(repository.root, n_rows=60).rubrics
    assert (found.n, found.n_flips, found.pass_as_shown, found.pass_reversed) == (60, 30, 0.5, 1.0)
    assert found.is_biased
    first = repository.read("loop/order/grounded.json")
    assert invoke(["judge", "bias", "--rows", "60", *args]) == 0
    assert repository.read("loop/order/grounded.json") == first
    assert "biased  60 rows" in capsys.readouterr().out
    assert invoke(["calibrate", "--card", *args]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "in the opposite order more pass (+0.50" in told
    for form in ("md", "html"):
        assert invoke(["calibrate", "--card", "--format", form, *args]) == 0
        assert "position bias" in capsys.readouterr().out


def test_a_fair_judge_turns_nothing(tmp_path: Path) -> None:
    """A judge whom no order moves has no bias."""
    with judged_repository(tmp_path / "repository", [fair], 30) as repository:
        calibrate(repository.root)
        (found,) = order(repository.root).rubrics
    assert (found.n, found.n_flips, found.is_biased) == (30, 0, False)


def test_a_local_judge_sees_no_order(tmp_path: Path) -> None:
    """A metric is told so, on the card too."""
    repository = labelled_repository(tmp_path / "repository", 30)
    label_all(repository, 30)
    calibrate(repository.root)
    with pytest.raises(DataError, match="is shown a row in no order"):
        order(repository.root)
    (card,) = judge_cards(repository.root)["cards"]
    assert card["position_bias"] == {"reason": "the judge is shown a row in no order"}
