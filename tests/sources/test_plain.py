"""Plain JSON lines, CSV and Parquet: the same rows in each form, and every fault with its place."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.errors import DataError, TableError
from gitloop.protocols import Source
from gitloop.sources.csv import CsvSource
from gitloop.sources.feedback import FeedbackSource
from gitloop.sources.jsonl import JsonlSource
from gitloop.sources.parquet import ParquetSource
from gitloop.tables import FEEDBACK, TRACES

TRACE = {
    "trace_id": "t1",
    "input": "Where is my parcel?",
    "output": "On its way.",
    "created_at": "2026-05-19T14:33:00Z",
    "latency_s": 1.5,
    "n_input_tokens": 12,
    "channel": "web",
}
EVENT = {
    "feedback_id": "f1",
    "trace_id": "t1",
    "signal_type": "thumbs_down",
    "created_at": "2026-05-19T14:34:00Z",
    "annotator": "rater_0",
}


def jsonl(folder: Path, rows: Sequence[Mapping[str, Any]] | bytes, name: str = "x.jsonl") -> Path:
    """A JSON-lines file of the rows, or of these bytes."""
    path = folder / name
    text = "".join(json.dumps(row) + "\n" for row in rows) if not isinstance(rows, bytes) else ""
    path.write_bytes(rows if isinstance(rows, bytes) else text.encode())
    return path


def as_csv(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A CSV file of the rows."""
    path = folder / "x.csv"
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def traces(source: Source, path: Path, **columns: str) -> pl.DataFrame:
    """The traces in the file."""
    return pl.concat(source.traces(path, columns))


def feedback(source: Source, path: Path, **columns: str) -> pl.DataFrame:
    """The events in the file."""
    return pl.concat(source.feedback(path, columns))


def problems(source: Source, path: Path, **columns: str) -> list[str]:
    """The faults that the file is refused for."""
    with pytest.raises(TableError) as raised:
        traces(source, path, **columns)
    return raised.value.problems


def test_a_trace_is_the_same_in_every_form(tmp_path: Path) -> None:
    """JSON lines, gzip, CSV and Parquet of one row give one trace, but for the name of the form."""
    plain = jsonl(tmp_path, [TRACE])
    packed = tmp_path / "x.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    parquet = tmp_path / "x.parquet"
    pl.DataFrame([TRACE]).write_parquet(parquet)
    found = [
        traces(JsonlSource(), plain),
        traces(JsonlSource(), packed),
        traces(CsvSource(), as_csv(tmp_path, [TRACE])),
        traces(ParquetSource(), parquet),
    ]
    assert all(rows.drop("source").equals(found[0].drop("source")) for rows in found)
    row = found[0].row(0, named=True)
    assert row == {
        **dict.fromkeys(TRACES.schema.names()),
        "trace_id": "t1",
        "group_id": "t1",
        "created_at": datetime(2026, 5, 19, 14, 33, tzinfo=UTC),
        "input": "Where is my parcel?",
        "output": "On its way.",
        "status": "ok",
        "latency_s": 1.5,
        "n_input_tokens": 12,
        "attributes": '{"channel":"web"}',
        "source": "jsonl",
    }
    assert TRACES.problems(found[0]) == []


def test_an_event_is_the_same_in_every_form(tmp_path: Path) -> None:
    """What has a signal_type is feedback; what has no column of its own is metadata."""
    parquet = tmp_path / "x.parquet"
    pl.DataFrame([EVENT]).write_parquet(parquet)
    found = [
        feedback(JsonlSource(), jsonl(tmp_path, [EVENT])),
        feedback(CsvSource(), as_csv(tmp_path, [EVENT])),
        feedback(ParquetSource(), parquet),
        feedback(FeedbackSource(), parquet),
    ]
    assert all(rows.equals(found[0]) for rows in found)
    assert FEEDBACK.problems(found[0]) == []
    assert found[0]["signal_class"].to_list() == ["explicit"]
    assert found[0]["metadata"].to_list() == ['{"annotator":"rater_0"}']
    assert list(JsonlSource().traces(jsonl(tmp_path, [EVENT]), {})) == []


def test_our_own_tables_come_back_as_they_were(tmp_path: Path) -> None:
    """A part that gitloop wrote can be imported again: spans, attributes and source stay."""
    first = traces(
        JsonlSource(),
        jsonl(
            tmp_path,
            [
                {
                    **TRACE,
                    "spans": [
                        {
                            "span_id": "s1",
                            "started_at": "2026-05-19T14:33:00Z",
                            "attributes": {"b": 1, "a": 2},
                            "tool": "search",
                        }
                    ],
                }
            ],
        ),
    )
    path = tmp_path / "part.parquet"
    first.write_parquet(path)
    assert traces(ParquetSource(), path).equals(first)
    span = first["spans"][0][0]
    assert span["attributes"] == '{"a":2,"b":1,"tool":"search"}'


def test_columns_are_mapped_and_constants_fill_gaps(tmp_path: Path) -> None:
    """A configured name wins over our own; a constant fills the rows that have no value."""
    path = jsonl(tmp_path, [{**EVENT, "value": "Bad", "score": 0}, {"signal_type": "rating"}])
    found = feedback(
        JsonlSource(), path, value="score", created_at="=2026-05-20", score_source="=human"
    )
    assert found["value"].to_list() == [0.0, None]
    assert found["score_source"].to_list() == ["human", "human"]
    assert found["created_at"][1] == datetime(2026, 5, 20, tzinfo=UTC)
    assert json.loads(found["metadata"][0]) == {"annotator": "rater_0", "value": "Bad"}


def test_usual_names_are_understood(tmp_path: Path) -> None:
    """Prompt, answer and timestamp are input, output and created_at without a mapping."""
    row = {"trace_id": 7, "prompt": "?", "answer": "!", "timestamp": 1747665180, "contexts": ["a"]}
    found = traces(JsonlSource(), jsonl(tmp_path, [row])).row(0, named=True)
    assert (found["trace_id"], found["input"], found["output"]) == ("7", "?", "!")
    assert found["created_at"] == datetime(2025, 5, 19, 14, 33, tzinfo=UTC)
    assert found["context"] == '["a"]'


def test_an_event_without_an_id_gets_one_from_its_content(tmp_path: Path) -> None:
    """The same file gives the same ids; two equal events stay two."""
    row = {"signal_type": "copy", "created_at": "2026-05-19"}
    path = jsonl(tmp_path, [row, row, {**row, "trace_id": "t"}])
    first, second = feedback(JsonlSource(), path), feedback(JsonlSource(), path)
    assert first.equals(second)
    assert first["feedback_id"].n_unique() == 3


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"trace_id": None}, "trace_id is missing"),
        ({"trace_id": ""}, "trace_id is missing"),
        ({"input": None}, "input is missing: what the user asked"),
        ({"created_at": "yesterday"}, "created_at is 'yesterday', not an ISO 8601 time"),
        ({"created_at": -5}, "created_at is -5, a time before 1970"),
        ({"created_at": True}, "created_at is True, not a time"),
        ({"created_at": "²"}, "created_at is '²', not an ISO 8601 time"),
        ({"created_at": "9" * 5000}, "…, not a time"),
        ({"latency_s": "fast"}, "latency_s is 'fast', not a number"),
        ({"latency_s": -0.5}, "latency_s is -0.5, which is negative"),
        ({"n_input_tokens": 1.5}, "n_input_tokens is 1.5, not a whole number"),
        ({"n_input_tokens": 2**63}, "not a whole number"),
        ({"cost_usd": [1]}, "cost_usd is [1], not a number"),
        ({"status": "green"}, "status is 'green'; it takes ok, error"),
        ({"spans": "none"}, "no JSON list of spans"),
        ({"spans": [{"started_at": "x"}]}, "spans is 'x', not an ISO 8601 time"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(
    tmp_path: Path, row: dict[str, Any], words: str
) -> None:
    """Each kind of wrong value is refused, with line, column and value."""
    path = jsonl(tmp_path, [{**TRACE, "trace_id": "t0"}, {**TRACE, **row}])
    found = problems(JsonlSource(), path)
    assert found[0].startswith("line 2: ")
    assert words in found[0]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"trace_id": NaN}', "not valid JSON at character 14"),
        (b'{"trace_id": "\xff"}', "byte 15 is not UTF-8"),
        (b'{"trace_id": "\\ud800"}', "not valid JSON"),
        (b"[" * 100_000, "depth limit"),
        (b'{"a":' * 100_000, "depth limit"),
        (b'["t1"]', "a JSON list, not an object"),
        (b'{"trace_id": "t1"', "not valid JSON"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: bytes, words: str) -> None:
    """NaN, no UTF-8, a lone surrogate, a nested bomb, no object, a torn line: each is told."""
    found = problems(JsonlSource(), jsonl(tmp_path, b"\n" + line + b"\n"))
    assert len(found) == 1
    assert found[0].startswith("line 2: ")
    assert words in found[0]


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    """Every kind of fault is told, with the first few lines that have it and how many there are."""
    rows = [{**TRACE, "trace_id": f"t{n}", "latency_s": "x"} for n in range(9)]
    path = jsonl(tmp_path, [*rows, {"trace_id": "x"}, {**TRACE, "trace_id": "y", "status": "?"}])
    assert problems(JsonlSource(), path) == [
        "lines 1, 2, 3 and 6 more: latency_s is 'x', not a number",
        "line 10: input is missing: what the user asked",
        "line 11: status is '?'; it takes ok, error",
    ]


def test_a_key_that_stands_twice_is_a_fault(tmp_path: Path) -> None:
    """A repeated trace_id is refused with both lines, even when the rows are equal."""
    assert problems(JsonlSource(), jsonl(tmp_path, [TRACE, TRACE])) == [
        "line 2: trace_id 't1' is that of line 1 too"
    ]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """Zero rows are a fault, not an import of nothing."""
    assert problems(JsonlSource(), jsonl(tmp_path, content)) == ["the file has no rows"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"trace_id,input\n", "the file has no rows"),
        (b"trace_id,trace_id\nt,t\n", "column 'trace_id' stands in the header twice"),
        (b"trace_id,input\nt1,a,b\n", "line 2: 3 fields, but the header has 2"),
        (b'trace_id,input\nt1,"a\n', "not valid CSV"),
        (b"trace_id,input\nt1,\xff\n", "not UTF-8: byte 0xff"),
        (b"trace_id,output\nt1,b\n", "line 2: input is missing"),
    ],
)
def test_a_broken_csv_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    """A header without rows, ragged rows, open quotes and other bytes are told."""
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    assert words in problems(CsvSource(), path)[0]


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    """Cut off bytes are an error of the data, not a bug."""
    path = tmp_path / "x.parquet"
    pl.DataFrame([TRACE]).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="not a readable Parquet file"):
        traces(ParquetSource(), path)


def test_hostile_names_are_kept(tmp_path: Path) -> None:
    """Columns that are called like anything at all end in the attributes."""
    names = ["__class__", "a.b", "", "'; drop table", "attributes ", "\u202e", "0"]
    row = {**TRACE, **dict.fromkeys(names, "x")}
    found = traces(JsonlSource(), jsonl(tmp_path, [row]))
    assert set(names) <= set(json.loads(found["attributes"].item()))


_LINES = st.lists(
    st.binary(max_size=40)
    | st.dictionaries(
        st.sampled_from([*TRACES.schema.names(), "x", "metadata"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
        | st.lists(st.integers(), max_size=2) | st.dictionaries(st.text(), st.none(), max_size=2),
        max_size=6,
    ).map(lambda row: json.dumps(row).encode()),
    max_size=5,
)  # fmt: skip


@settings(deadline=None)
@given(_LINES)
def test_any_bytes_are_rows_or_faults(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    """Whatever a file holds, it is read into rows that fit, or refused with sentences."""
    path = jsonl(tmp_path_factory.mktemp("fuzz"), b"\n".join(lines))
    source = JsonlSource()
    for read, table in ((source.traces, TRACES), (source.feedback, FEEDBACK)):
        with suppress(TableError):
            for frame in read(path, {}):
                assert table.problems(frame) == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=1, unique_by=lambda r: r[0]))
def test_text_survives_csv(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    """Quotes, commas and line breaks in a quoted field are part of the text."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerows([("trace_id", "input"), *pairs])
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    try:
        path.write_bytes(out.getvalue().encode())
    except UnicodeEncodeError:
        return
    found = traces(CsvSource(), path)
    assert list(zip(found["trace_id"], found["input"], strict=True)) == pairs
