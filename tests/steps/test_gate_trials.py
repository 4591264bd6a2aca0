"""`gitloop gate --aa`, `--prove` and `power` with real judges."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitloop.digests import sha256
from gitloop.errors import DataError
from gitloop.params import JudgePin
from gitloop.steps.gate.trials import aa, power, prove
from tests.gate_cases import golden
from tests.gated import Gated
from tests.repositories import Repository

N = 60
SIMILAR = """\
name: grounded
version: "1"
floor: 0.5
noise_floor: 0.01
scorer:
  local: {metric: similarity}
  python: {}
"""
NOISY = '''\
"""A judge that changes its mind about every third row each time it is asked."""

from collections import Counter

ASKED = Counter()


def judge(row, output):
    """1.0, or 0.0 when a row whose number divides by three is asked for the second time."""
    number = int(row["input"].split()[-1])
    ASKED[number] += 1
    return float(number % 3 > 0 or ASKED[number] % 2 == 1)
'''


def repository(root: Path, judge: JudgePin) -> Gated:
    """Sixty rows whose outputs are their references, all unlike each other, scored once."""
    made = Gated(Repository.create(root), SIMILAR, judge)
    made.repository.gen({"noisy.py": NOISY})
    said = [" ".join(sha256(f"{i} {k}")[:7] for k in range(6)) for i in range(N)]
    rows = golden(N, reference=said, route=["refund"] * 30 + ["billing"] * 30)
    made.promote(rows)
    made.score(rows, [1.0] * N, said)
    made.commit("Score")
    return made


@pytest.fixture
def local(tmp_path: Path) -> Gated:
    """A repository whose judge is a local metric."""
    return repository(tmp_path / "repo", JudgePin())


@pytest.fixture
def noisy(tmp_path: Path) -> Gated:
    """A repository whose judge changes its mind."""
    pin = JudgePin(use="python", parameters={"callable": "noisy:judge"})
    return repository(tmp_path / "repo", pin)


def test_a_pure_judge_has_no_noise(local: Gated) -> None:
    """A judge that cannot but repeat itself is not asked again."""
    report = aa(local.root, repeats=3)
    (noise,) = report.rubrics
    assert noise.is_pure
    assert (noise.n_rows, noise.flip_rate, report.n_gates) == (0, None, 0)


def test_a_judge_that_changes_its_mind_is_measured(noisy: Gated) -> None:
    """A third of the rows flips: sqrt(1/3/60) times 1.96 is 14.6 points of noise."""
    report = aa(noisy.root, repeats=2)
    (noise,) = report.rubrics
    assert (noise.n_rows, noise.n_unstable) == (N, 20)
    assert noise.flip_rate == pytest.approx(1 / 3)
    assert noise.noise == pytest.approx(1.959964 * (1 / 3 / N) ** 0.5, abs=1e-6)
    assert noise.is_floor_too_low
    assert (report.n_gates, report.n_blocked) == (1, 1)


def test_some_rows_are_enough_for_a_first_look(noisy: Gated) -> None:
    """With --rows only so many rows are judged again."""
    (noise,) = aa(noisy.root, repeats=2, n_rows=30).rubrics
    assert noise.n_rows == 30


def test_an_aa_test_writes_nothing_into_the_repository(noisy: Gated) -> None:
    """Trials leave the work tree as it was, but for the ignored call store."""
    before = noisy.repository.status()
    aa(noisy.root, repeats=2)
    assert noisy.repository.status() == before
    assert not (noisy.root / "loop/gate").exists()


def test_the_gate_notices_broken_outputs(local: Gated) -> None:
    """Empty, swapped and fact-free answers are caught, from a handful of rows on."""
    report = prove(local.root)
    assert [proof.mutation for proof in report.proofs] == ["empty", "swapped", "facts"]
    empty = report.proofs[0]
    assert empty.is_caught
    assert empty.n_smallest == 6  # two families share alpha: 1/64 is the first p below 0.025
    assert (empty.rubrics[0].n_passed, empty.rubrics[0].n_noticed) == (N, N)
    assert report.is_proven


def test_a_blind_judge_is_found_out(local: Gated) -> None:
    """A rubric that passes whatever is said lets nothing be caught, and that is told."""
    blind = SIMILAR.replace("{metric: similarity}", '{metric: contains, none: ["zebra"]}')
    made = Gated(Repository.create(local.root.parent / "blind"), blind)
    rows = golden(N, reference=["ten days"] * N)
    made.promote(rows)
    made.score(rows, [1.0] * N, ["ten days"] * N)
    report = prove(made.root)
    assert not report.is_proven
    assert report.proofs[0].rubrics[0].n_noticed == 0


def test_power_says_how_many_rows_are_wanted(local: Gated) -> None:
    """A loss of five points at a guessed change of ten percent of rows."""
    report = power(local.root, loss=0.05, power=0.8)
    whole, *slices = report.lines
    assert (whole.kind, whole.n, whole.is_measured) == ("delta", N, False)
    # z(1 - .025) + z(.8) = 2.8016; 2.8016² × 0.1 / 0.05² = 313.96 (Connor 1987)
    assert whole.n_needed == 314
    assert {line.slice for line in slices} == {"refund", "billing"}
    assert all(line.n_needed > whole.n_needed for line in slices)


def test_nothing_to_try_is_an_error(local: Gated) -> None:
    """Without a single good output there is nothing to judge again."""
    local.score(golden(N), [None] * N, [None] * N)
    with pytest.raises(DataError, match="no output"):
        prove(local.root)
