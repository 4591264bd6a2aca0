"""`gitloop pairs evaluate`: the release gate of a tuned model, on a real repository."""

from __future__ import annotations

import json
import math
from pathlib import Path

import polars as pl
import pytest

from gitloop.cli.main import invoke
from gitloop.errors import ConfigError, DataError
from gitloop.steps.pairs.evaluate import evaluate_pairs
from gitloop.storage import parquet
from gitloop.tables import PAIRS
from tests.evaluated import evaluated, golden_rows, promote
from tests.paired import pair_rows
from tests.repositories import Repository

WORDS = "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november"
PARAMS = """\
seed: 0
rubrics:
  brief: {version: "1"}
  polite:
    version: "1"
    judge: {use: python, parameters: {callable: "app:polite"}}
target: {callable: "app:answer"}
golden: {sets: {support: null}}
gate: {require_calibration: false, slices: []}
pairs:
  agreement: {required: false}
  release:
    base: {preferences: base.jsonl}
    tuned: TUNED
    min_pairs: 10
    veto: [polite]
"""
GOOD = "{target: {callable: 'app:good'}, likelihood: 'app:likelihood'}"
RUDE = "{target: {callable: 'app:rude'}, likelihood: 'app:likelihood'}"
APP = '''\
def answer(prompt, row):
    """The base model: polite, and rarely says how long it takes."""
    return f"Dear customer, {row['context'] if 'golf' in row['input'] else 'it depends'}."


def good(prompt, row):
    """A tuned model that gained and lost nothing."""
    return f"Dear customer, {row['context']}."


def rude(prompt, row):
    """A tuned model that gained on one rubric and lost on another."""
    return f"{row['context']}."


def polite(row, output):
    """Whether it says dear."""
    return (1.0, "it does") if "Dear" in output else (0.0, "it does not")


def likelihood(messages, answer):
    """The tuned model likes good answers."""
    return -1.0 if answer.startswith("good") else -2.0
'''
N_PAIRS = 40


def ready(root: Path, tuned: str = GOOD) -> Repository:
    """Golden rows, a holdout of forty pairs, a base that is right about half of them."""
    made = evaluated(Repository.create(root))
    promote(made, golden_rows(WORDS.split()))
    rows = [
        row | {"groups": [f"g{n}"], "split": "holdout"} for n, row in enumerate(pair_rows(N_PAIRS))
    ]
    pairs = pl.DataFrame(rows, schema=PAIRS.schema)
    parquet.write(made.root / "loop/pairs/pairs.parquet", PAIRS, pairs)
    base = [
        {"pair_id": row["pair_id"], "chosen": -(n % 2), "rejected": -0.5}
        for n, row in enumerate(rows)
    ]
    made.gen(
        {
            "app.py": APP,
            "params.yaml": PARAMS.replace("TUNED", tuned),
            "base.jsonl": "".join(json.dumps(row) + "\n" for row in base),
            "loop/baseline/baseline.json": '{"schema": "gitloop.baseline/v1", "runs": []}',
        }
    )
    return made


def test_a_better_model_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It gains, loses nothing, and is right about more of the holdout: exit 0."""
    made = ready(tmp_path)
    assert invoke(["-C", str(made.root), "pairs", "evaluate"]) == 0
    told = capsys.readouterr().out
    document = json.loads(made.read("loop/pairs/release.json"))
    checks = {(c["kind"], c["rubric"]): c for c in document["checks"]}
    assert document["schema"] == "gitloop.gate/v1"
    assert checks["holdout", None]["observed"] == 1.0
    assert checks["ahead", None]["baseline"] == 0.5
    assert checks["veto", "polite"]["outcome"] == "pass"
    assert checks["gain", None]["effect"] > 0
    assert "40 holdout pairs, the tuned model against its base" in " ".join(told.split())
    assert [line for line in told.splitlines() if len(line) > 80] == []
    assert "holdout pairs" in (made.root / "loop/pairs/release.html").read_text()


def test_a_gain_does_not_buy_a_loss(tmp_path: Path) -> None:
    """More rows resolved on average, politeness gone: the veto says no, exit 2."""
    outcome = evaluate_pairs(ready(tmp_path, RUDE).root)
    assert outcome.exit_code(is_strict=False) == 2
    assert "veto polite" in outcome.document["failures"]


def test_the_same_evaluation_is_the_same_bytes(tmp_path: Path) -> None:
    """No clock and no path: a second run writes what the first wrote."""
    made = ready(tmp_path)
    evaluate_pairs(made.root)
    files = [made.root / f"loop/pairs/{name}" for name in ("release.json", "ledger.jsonl")]
    before = [path.read_bytes() for path in files]
    evaluate_pairs(made.root)
    assert [path.read_bytes() for path in files] == before


def test_looks_at_the_holdout_are_counted(tmp_path: Path) -> None:
    """Another tuned model is another look, held against less; the first one again is the first."""
    made = ready(tmp_path)

    def look() -> dict[str, float]:
        document = evaluate_pairs(made.root).document
        found: dict[str, float] = document["policies"]["look"]
        return found

    first = look()
    assert first == {"number": 1, "alpha": pytest.approx(0.05 * 6 / math.pi**2)}
    made.gen({"app.py": APP.replace("-1.0 if answer", "-1.1 if answer")})
    assert look() == {"number": 2, "alpha": pytest.approx(first["alpha"] / 4)}
    made.gen({"app.py": APP})
    assert look() == first
    assert made.read("loop/pairs/ledger.jsonl").count("\n") == 2
    made.gen({"loop/pairs/ledger.jsonl": "<<<<<<< ours\n"})
    with pytest.raises(DataError, match=r"loop/pairs/ledger\.jsonl:1"):
        evaluate_pairs(made.root)


def test_too_few_pairs_are_no_look(tmp_path: Path) -> None:
    """Nothing was seen of a holdout on which nothing is decided."""
    made = ready(tmp_path)
    made.gen({"params.yaml": made.read("params.yaml").replace("min_pairs: 10", "min_pairs: 99")})
    outcome = evaluate_pairs(made.root)
    assert (outcome.exit_code(is_strict=False), outcome.document["policies"]["look"]) == (5, None)
    assert not (made.root / "loop/pairs/ledger.jsonl").exists()


@pytest.mark.parametrize("form", ["json", "md", "junit", "sarif", "github", "gitlab"])
def test_every_form_of_the_gate_is_offered(
    tmp_path_factory: pytest.TempPathFactory, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What CI reads of the gate it reads of a release."""
    root = tmp_path_factory.getbasetemp() / "forms"
    made = ready(root, RUDE) if not root.exists() else Repository(root)
    assert invoke(["-C", str(made.root), "pairs", "evaluate", "--format", form]) == 2
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    ("tuned", "told"),
    [
        ("null", "names no tuned model"),
        ("{likelihood: 'app:likelihood'}", "names no tuned model"),
        ("{target: {callable: 'app:good'}}", "does not say which answers the model prefers"),
    ],
)
def test_a_release_that_lacks_something_is_refused(tmp_path: Path, tuned: str, told: str) -> None:
    """Without a tuned model, or without what it prefers, nothing is decided."""
    made = ready(tmp_path, tuned)
    with pytest.raises(ConfigError, match=told):
        evaluate_pairs(made.root)
    assert not (made.root / "loop/pairs/release.json").exists()


def test_a_veto_must_be_a_rubric_in_use(tmp_path: Path) -> None:
    """A misspelt veto would never veto."""
    made = ready(tmp_path)
    made.gen({"params.yaml": made.read("params.yaml").replace("[polite]", "[polit]")})
    with pytest.raises(ConfigError, match="veto names polit"):
        evaluate_pairs(made.root)


def test_the_tuned_model_is_another_target(tmp_path: Path) -> None:
    """Its outputs are its own, and params.yaml's target is left as it is."""
    document = evaluate_pairs(ready(tmp_path).root).document
    (brief,) = [row for row in document["rubrics"] if row["name"] == "brief"]
    assert (brief["pass_rate"], brief["n_won"]) == (1.0, 13)
