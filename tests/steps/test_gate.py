"""`gitloop gate` in real repositories: what it reads, writes, and refuses."""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest
from jsonschema_rs import Draft202012Validator

from gitloop.errors import ConfigError, DataError, MissingObjectError, StaleError
from gitloop.records import CHECK_KINDS
from gitloop.steps.baseline import baseline
from gitloop.steps.gate import PATH, REPORT, check, gate
from gitloop.storage.golden import digest
from tests.gate_cases import golden
from tests.gated import PARAMS, RUBRIC, Gated, gated, thresholds

N = 60


@pytest.fixture
def place(tmp_path: Path) -> Gated:
    """A repository whose main line has one good run, pinned as the baseline."""
    made = gated(tmp_path / "repo")
    rows = golden(N)
    made.promote(rows)
    made.score(rows, [1.0] * N, ["Within 30 days."] * N)
    made.commit("Score")
    baseline(made.root)
    made.commit("Pin the baseline")
    return made


def break_rows(place: Gated, n: int) -> None:
    """Score a run in which the first `n` rows fail."""
    said = ["Never."] * n + ["Within 30 days."] * (N - n)
    place.score(golden(N), [0.0] * n + [1.0] * (N - n), said)


def test_a_regression_is_recorded_and_blocks(place: Gated) -> None:
    """The stage writes the verdict down and returns; what CI makes of it is exit code 2."""
    break_rows(place, 12)
    outcome = gate(place.root)
    assert outcome.document["verdict"] == "fail"
    assert outcome.exit_code(is_strict=False) == 2
    assert check(place.root) == outcome
    assert [row["row_id"] for row in outcome.document["rows"]["lost"]][:2] == ["r0000", "r0001"]


def test_the_dataset_that_was_read_is_recorded(place: Gated) -> None:
    """gate.json names the digest, size and version of each golden set."""
    document = gate(place.root).document
    assert document["datasets"] == {
        "support": {"sha256": digest(golden(N)), "n_rows": N, "version": "2026.05-3ce616"}
    }


def test_the_same_inputs_give_the_same_bytes(place: Gated, tmp_path: Path) -> None:
    """Another path, another time zone and a second run change neither file."""
    break_rows(place, 12)
    gate(place.root)
    first = [(place.root / path).read_bytes() for path in (PATH, REPORT)]
    place.commit("Break")
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(place.root, copy)
    for root in (place.root, copy):
        gate(root)
        assert [(root / path).read_bytes() for path in (PATH, REPORT)] == first
    assert str(tmp_path).encode() not in b"".join(first)


def test_texts_of_users_stay_out_of_gate_json(place: Gated) -> None:
    """The report shows what was said; the file in Git holds ids and figures alone."""
    break_rows(place, 12)
    gate(place.root)
    assert "Never." not in place.repository.read(PATH)
    assert "question 0" not in place.repository.read(PATH)
    assert "Never" in place.repository.read(REPORT)


@pytest.mark.parametrize(
    ("path", "content", "named"),
    [
        ("params.yaml", PARAMS + "gate: {alpha: 0.01}\n", "params.yaml: gate"),
        ("rubrics/grounded.yaml", RUBRIC.replace("0.5", "0.6"), "rubrics/grounded.yaml"),
        ("loop/calibrate/thresholds.json", thresholds(threshold=0.6), "thresholds.json"),
        ("loop/score/scores.parquet", b"other", "scores.parquet"),
        ("loop/baseline/baseline.json", '{"schema": "gitloop.baseline/v1"}', "baseline.json"),
    ],
)
def test_a_verdict_on_other_inputs_is_stale(
    place: Gated, path: str, content: str | bytes, named: str
) -> None:
    """--check refuses a gate.json that was not made from what lies here, and names what moved."""
    gate(place.root)
    place.repository.gen({path: content})
    with pytest.raises(StaleError, match=named):
        check(place.root)


def test_a_promotion_makes_the_verdict_stale(place: Gated) -> None:
    """A part more in the golden set is another input, even before anything is scored."""
    gate(place.root)
    place.promote(golden(N + 5).tail(5), "2026.06-bbbbbb")
    with pytest.raises(StaleError, match=r"golden/support/parts/2026\.06-bbbbbb"):
        check(place.root)
    assert gate(place.root).exit_code(is_strict=False) == 5


def test_check_without_a_verdict_is_an_error(place: Gated) -> None:
    """Where the stage never ran there is nothing to check."""
    with pytest.raises(DataError, match=r"gate\.json does not exist"):
        check(place.root)


def test_a_pinned_set_version_is_held(place: Gated) -> None:
    """A golden set that moved from its pinned version is stale."""
    pinned = PARAMS.replace("support: null", 'support: "2026.04-000000"')
    place.repository.gen({"params.yaml": pinned})
    with pytest.raises(StaleError, match=r"2026\.05-3ce616"):
        gate(place.root)


def test_thresholds_that_are_not_there(place: Gated) -> None:
    """Without thresholds.json there is no gate, unless params.yaml says they are not needed."""
    (place.root / "loop/calibrate/thresholds.json").unlink()
    with pytest.raises(DataError, match=r"thresholds\.json does not exist"):
        gate(place.root)
    place.repository.gen({"params.yaml": PARAMS + "gate: {require_calibration: false}\n"})
    assert gate(place.root).document["verdict"] == "pass"


def test_a_misspelt_metric_stops_the_stage(place: Gated) -> None:
    """A configuration fault is an exception and writes nothing."""
    faulty = PARAMS + "gate: {assertions: [{metric: pas_rate, value: 0.5}]}\n"
    place.repository.gen({"params.yaml": faulty})
    with pytest.raises(ConfigError, match="did you mean pass_rate"):
        gate(place.root)
    assert not (place.root / PATH).exists()


def test_a_corrected_reference_takes_the_row_out_of_the_delta(place: Gated) -> None:
    """Rows whose reference was rewritten are new: their old scores answer another question."""
    rows = golden(N).with_columns(
        reference=pl.when(pl.col("row_id") < "r0010").then(pl.lit("corrected"))
    )
    place.promote(rows)
    break_rows(place, 10)
    document = gate(place.root).document
    (delta,) = [entry for entry in document["checks"] if entry["kind"] == "delta"]
    assert (delta["n"], delta["outcome"]) == (N - 10, "pass")
    assert document["rows"]["n_failing_new"] == 10


def test_a_baseline_whose_bytes_are_gone_is_an_error(place: Gated) -> None:
    """Scores that are pinned but nowhere to be had stop the gate: missing never passes."""
    pinned = json.loads(place.repository.read("loop/baseline/baseline.json"))["runs"][0]
    break_rows(place, 12)
    found = place.store.object_path(pinned["scores_md5"])
    assert found is not None
    found.unlink()
    with pytest.raises(MissingObjectError, match=pinned["scores_md5"]):
        gate(place.root)


@pytest.mark.slow
def test_old_scores_come_from_the_remote(place: Gated, tmp_path: Path) -> None:
    """What the cache lacks is fetched by content; no commit is needed, and none checked out."""
    pinned = json.loads(place.repository.read("loop/baseline/baseline.json"))["runs"][0]
    remote = tmp_path / "remote"
    place.repository.gen(
        {".dvc/config": f"[core]\n    remote = r\n['remote \"r\"']\n    url = {remote}\n"}
    )
    for digest_ in (pinned["scores_md5"], pinned["outputs_md5"]):
        found = place.store.object_path(digest_)
        assert found is not None
        target = remote / "files" / "md5" / digest_[:2] / digest_[2:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(found, target)
    break_rows(place, 12)
    assert gate(place.root).document["verdict"] == "fail"
    restored = place.store.object_path(pinned["scores_md5"])
    assert restored is not None
    assert hashlib.md5(restored.read_bytes()).hexdigest() == pinned["scores_md5"]  # noqa: S324


@pytest.mark.parametrize("n_bad", [0, 12, N])
def test_gate_json_fits_its_schema(place: Gated, n_bad: int) -> None:
    """What is written is what the shipped JSON Schema says, with nothing more and nothing less."""
    break_rows(place, n_bad)
    policy = "gate: {assertions: [{metric: p95_score, value: 0.1}]}\n"
    place.repository.gen({"params.yaml": place.repository.read("params.yaml") + policy})
    gate(place.root)
    schema = json.loads(files("gitloop").joinpath("schemas/gate-v1.schema.json").read_text())
    assert schema["$defs"]["check"]["properties"]["kind"]["enum"] == list(CHECK_KINDS)
    Draft202012Validator(schema).validate(json.loads(place.repository.read(PATH)))


def test_the_gate_needs_none_of_the_heavy_libraries(place: Gated) -> None:
    """Neither scipy nor scikit-learn nor DVC is imported: a gate starts in a moment."""
    code = (
        "import sys; from pathlib import Path; from gitloop.steps.gate import gate;"
        "gate(Path('.')); print(sorted({n.split('.')[0] for n in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place.root, capture_output=True, text=True, check=True
    )
    assert not {"scipy", "sklearn", "dvc", "hdbscan", "optuna", "rich"} & set(
        ast.literal_eval(done.stdout)
    )
