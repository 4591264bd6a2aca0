"""The join stage: from the tracked parts to loop/join, the same bytes each time."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import polars as pl
import pytest

from gitloop.capture import Recorder
from gitloop.errors import TableError
from gitloop.scenario.generate import generate
from gitloop.steps.capture import import_files, seal
from gitloop.steps.join import join
from gitloop.storage import parquet, spool
from gitloop.storage.dvc import Dvc
from gitloop.storage.parts import track
from gitloop.tables import DEBUG_ONLY, FEEDBACK, JOINED, TRACES
from tests.repositories import Repository

FILES = ("joined.parquet", "debug_only.parquet", "metrics.json", "rates.csv")
README = Path(__file__).parents[2] / "README.md"


def outputs(repository: Repository) -> list[bytes]:
    """The bytes of every output."""
    return [(repository.root / "loop" / "join" / name).read_bytes() for name in FILES]


@pytest.fixture
def scenario(repository: Repository, tmp_path: Path) -> Repository:
    """A repository into which 200 generated traces and their feedback were imported."""
    made = generate(7, 200)
    schema = {name: TRACES.schema[name] for name in made.traces[0]}
    pl.DataFrame(list(made.traces), schema=schema).write_parquet(tmp_path / "t.parquet")
    feedback = pl.DataFrame(list(made.feedback), schema=FEEDBACK.schema)
    feedback.write_parquet(tmp_path / "f.parquet")
    import_files(repository.root, [tmp_path / "t.parquet", tmp_path / "f.parquet"])
    return repository


def test_every_event_ends_in_one_of_two_tables(scenario: Repository) -> None:
    """The tables fit their schemas, add up to what was imported, and the metrics say the same."""
    report = join(scenario.root)
    folder = scenario.root / "loop" / "join"
    joined = parquet.read(folder / "joined.parquet", JOINED)
    debug_only = parquet.read(folder / "debug_only.parquet", DEBUG_ONLY)
    metrics = json.loads(scenario.read("loop/join/metrics.json"))
    assert metrics == report.metrics
    assert metrics["schema"] == "gitloop.join/v1"
    assert (metrics["n_joined"], metrics["n_debug_only"]) == (joined.height, debug_only.height)
    assert metrics["n_events"] == joined.height + debug_only.height
    assert metrics["n_traces"] == 200
    assert 0 < debug_only.height < 20


def test_the_plot_has_every_rate_with_its_exposure(scenario: Repository) -> None:
    """`dvc plots` gets a row per signal and per slice; the rates are those of metrics.json."""
    metrics = join(scenario.root).metrics
    rates = pl.read_csv(scenario.root / "loop" / "join" / "rates.csv")
    assert rates.columns == ["part", "rate", "low", "high", "n_hits", "n"]
    whole = rates.filter(~pl.col("part").str.contains(" · "))
    signals = metrics["rates"]["all"]["signals"]
    assert dict(whole.select("part", "n_hits").iter_rows()) == {
        name: rate["n_hits"] for name, rate in signals.items()
    }
    assert set(whole["n"]) == {200}
    assert rates.filter(
        (pl.col("low") > pl.col("rate")) | (pl.col("high") < pl.col("rate"))
    ).is_empty()
    assert rates.filter(pl.col("part").str.contains("· route ")).height


def test_polars_and_duckdb_answer_the_readme_s_question_alike(
    scenario: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two programs that the README shows run as they stand there, and agree."""
    join(scenario.root)
    monkeypatch.chdir(scenario.root)
    text = README.read_text(encoding="utf-8")
    (python,) = re.findall(r"```python\n(pl\.read_parquet.*?)```", text, flags=re.DOTALL)
    (sql,) = re.findall(r"```sql\n(.*?)```", text, flags=re.DOTALL)
    ours = eval(python, {"pl": pl})  # noqa: S307 -- the README's own line
    theirs = duckdb.execute(sql).fetchall()
    assert len(theirs) > 5
    assert sorted(ours.rows(), key=str) == sorted(theirs, key=str)


def test_the_same_parts_give_the_same_bytes(scenario: Repository) -> None:
    """A second run changes no byte of any output."""
    join(scenario.root)
    first = outputs(scenario)
    join(scenario.root)
    assert outputs(scenario) == first


def test_an_empty_repository_joins_nothing(repository: Repository) -> None:
    """No parts at all: empty tables and figures of zero, no error."""
    metrics = join(repository.root).metrics
    assert (metrics["n_events"], metrics["n_traces"], metrics["join_rate"]) == (0, 0, None)
    assert parquet.read(repository.root / "loop/join/joined.parquet", JOINED).is_empty()


def test_what_waits_in_the_spool_is_told(repository: Repository) -> None:
    """An event joins after it was sealed, and before that the report says that it waits."""
    recorder = Recorder(str(repository.root / spool.FOLDERS["feedback"]))
    recorder.record({"signal_type": "copy", "trace_id": "t1"})
    before = join(repository.root)
    seal(repository.root)
    after = join(repository.root)
    assert (before.n_waiting, before.metrics["n_events"]) == (1, 0)
    assert (after.n_waiting, after.metrics["n_events"]) == (0, 1)


def test_a_stray_is_told_and_not_read(scenario: Repository) -> None:
    """A part whose pointer went away with a branch switch does not count."""
    pointer = next((scenario.root / "data" / "feedback").glob("*.dvc"))
    pointer.unlink()
    report = join(scenario.root)
    assert report.metrics["n_events"] == 0
    assert report.strays == (f"data/feedback/{pointer.name.removesuffix('.dvc')}",)


def test_people_s_labels_measure_the_implicit_signals(scenario: Repository) -> None:
    """With labels in labels/, metrics.json says how often a retry or an edit was right."""
    joined = join(scenario.root)
    assert joined.metrics["precision"]["labels"] == {}
    rows = parquet.read(scenario.root / "loop/join/joined.parquet", JOINED)
    implicit = rows.filter(pl.col("signal_type") == "retry").row(0, named=True)
    line = {
        "label_id": "l1",
        "trace_id": implicit["trace_id"],
        "item_kind": "trace",
        "rubric": "grounded",
        "label": "fail",
        "score": 0.0,
        "annotator": "ada",
        "role": "annotator",
        "guidance_version": "1",
        "created_at": "2026-05-21T10:00:00Z",
    }
    scenario.gen({"labels/ada.jsonl": json.dumps(line) + "\n"})
    found = join(scenario.root).metrics["precision"]["labels"]["retry"]
    assert (found["n_hits"], found["n"], found["rate"]) == (1, 1, 1.0)


def test_parts_that_contradict_each_other_stop_the_join(scenario: Repository) -> None:
    """One event id with two contents is an error, and the last outputs stay as they were."""
    join(scenario.root)
    before = outputs(scenario)
    folder = scenario.root / "data" / "feedback"
    part = next(folder.glob("*.parquet"))
    rows = pl.read_parquet(part).with_columns(comment=pl.lit("other"))
    other = "data/feedback/2026-05-30-bbbbbbbb.parquet"
    parquet.write(scenario.root / other, FEEDBACK, rows)
    track(scenario.root, Dvc(scenario.root, scenario.root / ".git"), other)
    with pytest.raises(TableError, match="stand in more than one row"):
        join(scenario.root)
    assert outputs(scenario) == before
