"""Quality, cost, repeatability and identity of `gitloop cluster` on banking77.

    python benchmarks/clustering.py --data ../shared/data [--parts quality cost …]

One configuration for everything, the defaults. AMI counts every row, with noise as a label of its
own; ARI counts the rows in a cluster; coverage is their share. Where the extra [minilm] and
BERTopic are installed (a throw-away environment: they bring torch and numba), they run in the same
process; where not, the benchmark says so.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import hdbscan
import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from gitloop.core.cluster import Clustering, ClusterSettings, Night, cluster, collapse, match
from gitloop.embedders.tfidf import TfidfEmbedder

N_ROWS = 6_000
N_DISTINCT = 60_000
SIZES = {10_000: False, 50_000: True, 200_000: False}
"""Failures → whether the run without a sample is measured as well."""
N_NIGHTS = 10
CHURN = 0.1
PARTS = ("quality", "cost", "repeatability", "identity", "incremental")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Queries with their intents."""

    trace_ids: list[str]
    texts: list[str]
    intents: list[str]

    def take(self, rows: NDArray[np.intp]) -> Corpus:
        """Return the given rows."""
        chosen = rows.tolist()
        return Corpus(
            [self.trace_ids[row] for row in chosen],
            [self.texts[row] for row in chosen],
            [self.intents[row] for row in chosen],
        )


def read(data: Path) -> Corpus:
    """Return banking77 as it stands in the data directory."""
    folder = data / "banking77"
    traces = [json.loads(line) for line in (folder / "traces.jsonl").read_text().splitlines()]
    labels = [json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines()]
    intent_of = {label["trace_id"]: label["label"] for label in labels}
    ids = [trace["trace_id"] for trace in traces]
    return Corpus(ids, [trace["prompt"] for trace in traces], [intent_of[one] for one in ids])


def shuffled(corpus: Corpus, seed: int) -> NDArray[np.intp]:
    """Return the corpus's rows in a fixed random order."""
    return np.random.default_rng(seed).permutation(len(corpus.texts))


def run(
    corpus: Corpus,
    vectors: NDArray[np.float32],
    settings: ClusterSettings,
    known: dict[str, str] | None = None,
) -> Clustering:
    """Return our clustering of a corpus, every query counting once."""
    weights = np.ones(len(corpus.texts))
    return cluster(corpus.texts, vectors, corpus.trace_ids, weights, settings, known)


def labelled(corpus: Corpus, vectors: NDArray[np.float32], *, soft: bool) -> NDArray[np.intp]:
    """Return the labels of our clustering."""
    return run(corpus, vectors, ClusterSettings(soft_assignment=soft)).labels


def plain(vectors: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the labels of PCA and HDBSCAN alone, as most pipelines without UMAP do it."""
    reduced = PCA(32, random_state=0).fit_transform(vectors)
    model = hdbscan.HDBSCAN(min_cluster_size=15, min_samples=5, core_dist_n_jobs=1)
    return np.asarray(model.fit_predict(reduced), dtype=np.intp)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what the work returns, and its CPU seconds."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


Embed = Callable[[Corpus, NDArray[np.intp]], NDArray[np.float32]]
"""Corpus and rows of it → their vectors."""


def embedders(corpus: Corpus, cache: Path | None) -> dict[str, Embed]:
    """Name → embedder, of those that are installed; minilm's vectors are kept in the cache."""
    found: dict[str, Embed] = {
        "tfidf": lambda own, rows: TfidfEmbedder().embed(own.take(rows).texts)
    }
    try:
        minilm = importlib.import_module("gitloop.embedders.minilm")
    except ImportError as error:
        print(f"minilm is not measured: {error}")
        return found
    # A text's vector does not depend on the others: once for all samples and nights will do.
    if cache is not None and cache.is_file():
        vectors = np.load(cache)
        print(f"minilm: vectors from {cache.name}")
    else:
        vectors, cpu_s = timed(lambda: minilm.MinilmEmbedder().embed(corpus.texts))
        print(f"minilm embeds {len(corpus.texts) / cpu_s:.0f} texts per CPU second")
        if cache is not None:
            np.save(cache, vectors)
    return {"minilm": lambda _, rows: vectors[rows], **found}


def bertopic(texts: list[str], vectors: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the topics of BERTopic's default pipeline on the same embeddings."""
    model = importlib.import_module("bertopic").BERTopic()
    topics, _ = model.fit_transform(texts, embeddings=vectors)
    return np.asarray(topics, dtype=np.intp)


def has_bertopic() -> bool:
    """Return whether BERTopic is there; if not, say so."""
    try:
        importlib.import_module("bertopic")
    except ImportError as error:
        print(f"BERTopic is not measured: {error}")
        return False
    return True


def quality(corpus: Corpus, seeds: int, cache: Path | None) -> None:
    """Print AMI, ARI, coverage and seconds of the pipelines, per embedder."""
    with_peer = has_bertopic()
    known = embedders(corpus, cache)
    columns = f"{'AMI':>7}{'ARI':>7}{'cover':>7}{'noise':>7}{'k':>5}{'CPU s':>8}{'wall s':>8}"
    print(f"{'embedder':9}{'seed':5}{'pipeline':28}{columns}")
    for name, embedder in known.items():
        for seed in range(seeds):
            rows = shuffled(corpus, seed)[:N_ROWS]
            sample = corpus.take(rows)
            vectors = embedder(corpus, rows)
            pipelines = {
                "PCA + HDBSCAN": partial(plain, vectors),
                "gitloop": partial(labelled, sample, vectors, soft=False),
                "gitloop, soft assignment": partial(labelled, sample, vectors, soft=True),
            }
            if with_peer:
                pipelines["BERTopic, cold"] = partial(bertopic, sample.texts, vectors)
                pipelines["BERTopic, warm"] = partial(bertopic, sample.texts, vectors)
            for pipeline, work in pipelines.items():
                start = time.perf_counter()
                labels, cpu_s = timed(work)
                _row(f"{name:9}{seed:<5}{pipeline:28}", np.array(sample.intents), labels)
                print(f"{cpu_s:8.1f}{time.perf_counter() - start:8.1f}", flush=True)


def _row(head: str, truth: NDArray[Any], labels: NDArray[np.intp]) -> None:
    inside = labels >= 0
    ami = adjusted_mutual_info_score(truth, labels)
    ari = adjusted_rand_score(truth[inside], labels[inside])
    share = inside.mean()
    print(f"{head}{ami:7.3f}{ari:7.3f}{share:7.3f}{1 - share:7.3f}{labels.max() + 1:5d}", end="")


def grown(corpus: Corpus, n_rows: int) -> Corpus:
    """Return a larger corpus: queries with words of others, then the same ones said again.

    Up to 60,000 rows a quarter of each query's words comes from another one; further rows repeat
    these with other capitals, blanks, digits and marks, as users do.
    """
    dice = np.random.default_rng(0)
    order = shuffled(corpus, 0).tolist()
    texts, intents = [], []
    for n in range(min(n_rows, N_DISTINCT)):
        row = order[n % len(order)]
        words = corpus.texts[row].split()
        if n >= len(order):
            other = corpus.texts[order[dice.integers(len(order))]].split()
            for _ in range(max(1, len(words) // 4)):
                words[dice.integers(len(words))] = other[dice.integers(len(other))]
        texts.append(" ".join(words))
        intents.append(corpus.intents[row])
    for n in range(len(texts), n_rows):
        row = int(dice.integers(N_DISTINCT))
        text = texts[row]
        texts.append((text.upper(), f"  {text}", f"{text} ", text.title())[n % 4])
        intents.append(intents[row])
    return Corpus([f"t{n:06}" for n in range(n_rows)], texts, intents)


def cost_of(data: Path, n_rows: int, *, full: bool) -> dict[str, float]:
    """Return what one size costs in this process: collapse, cluster, memory, and its AMI."""
    corpus = grown(read(data), n_rows)
    start = time.perf_counter()
    groups = collapse(corpus.texts, corpus.trace_ids)
    collapse_s = time.perf_counter() - start
    distinct = [corpus.texts[row] for row in groups.first]
    vectors = TfidfEmbedder().embed(distinct)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    settings = ClusterSettings(sample=None) if full else ClusterSettings()
    ids = [corpus.trace_ids[row] for row in groups.first]
    start = time.perf_counter()
    result, cpu_s = timed(lambda: cluster(distinct, vectors, ids, groups.weights, settings))
    return {
        "n_distinct": len(distinct),
        "collapse_s": collapse_s,
        "cluster_cpu_s": cpu_s,
        "cluster_s": time.perf_counter() - start,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "embedded_mb": before,
        "ami": adjusted_mutual_info_score(corpus.intents, result.labels[groups.group_of]),
        "noise_rate": float((result.labels[groups.group_of] < 0).mean()),
        "k": result.metrics.n_clusters,
    }


def cost(data: Path) -> None:
    """Print what each size costs, each in a process of its own."""
    for n_rows, with_full in SIZES.items():
        for full in (False, True) if with_full or n_rows == max(SIZES) else (False,):
            command = [sys.executable, __file__, "--data", str(data), "--one-cost", str(n_rows)]
            command += ["--full"] if full else []
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            told = "  ".join(f"{name} {value:.3g}" for name, value in found.items())
            print(f"{n_rows:>7} failures, {'full  ' if full else 'default'}  {told}", flush=True)


def incremental(corpus: Corpus, cache: Path | None) -> None:
    """Print how far incremental nights agree with full ones, as the nights go by."""
    order = shuffled(corpus, 0)
    step = round(N_ROWS * CHURN)
    settings = ClusterSettings(stability_draws=0)
    quick = replace(settings, is_incremental=True)
    for name, embedder in embedders(corpus, cache).items():
        rows = order[:N_ROWS]
        tonight = corpus.take(rows)
        last = night_of(tonight, run(tonight, embedder(corpus, rows), settings))
        nights = [last, last]
        for night in range(1, 4):
            rows = order[night * step : night * step + N_ROWS]
            tonight, vectors = corpus.take(rows), embedder(corpus, rows)
            results, seconds = [], []
            for number, own in enumerate((settings, quick)):
                work = partial(run, tonight, vectors, own, dict(nights[number].members))
                result, cpu_s = timed(work)
                found = match(nights[number], night_of(tonight, result))
                nights[number] = night_of(tonight, result, dict(found.ids))
                results.append(result)
                seconds.append(cpu_s)
            full, fast = results
            same = np.mean(
                [nights[0].members[t] == nights[1].members[t] for t in nights[0].members]
            )
            truth = [adjusted_mutual_info_score(tonight.intents, one.labels) for one in results]
            print(
                f"{name} night {night}: AMI of the two {agreement(full, fast):.3f}, same id"
                f" {same:.3f}, AMI with intents {truth[0]:.3f} and {truth[1]:.3f},"
                f" CPU s {seconds[0]:.1f} and {seconds[1]:.1f}"
            )


def agreement(one: Clustering, other: Clustering) -> float:
    """Return the AMI of two clusterings of the same rows."""
    return float(adjusted_mutual_info_score(one.labels, other.labels))


def digest(corpus: Corpus) -> str:
    """Return a SHA-256 over every byte of the vectors and of the clustering."""
    sample = corpus.take(shuffled(corpus, 0)[:N_ROWS])
    vectors = TfidfEmbedder().embed(sample.texts)
    result = run(sample, vectors, ClusterSettings(soft_assignment=True))
    arrays = (result.labels, result.membership, result.runner_up, result.margin, result.soft)
    parts = [vectors.tobytes(), *(array.tobytes() for array in arrays)]
    parts.append(repr((result.clusters, result.metrics)).encode())
    return hashlib.sha256(b"".join(parts)).hexdigest()


def repeatability(data: Path) -> None:
    """Print whether fresh processes with one and two threads give the same bytes."""
    digests = {}
    for name, threads, hash_seed in (("one", "1", "1"), ("two", "2", "2"), ("two again", "2", "3")):
        limits = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        environment = dict(os.environ, PYTHONHASHSEED=hash_seed) | dict.fromkeys(limits, threads)
        command = [sys.executable, __file__, "--data", str(data), "--digest"]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        digests[name] = done.stdout.strip()
        print(f"threads {name:10} {digests[name]}")
    print("same bytes" if len(set(digests.values())) == 1 else "DIFFERENT BYTES")


def night_of(corpus: Corpus, result: Clustering, ids: dict[str, str] | None = None) -> Night:
    """Return a run as the next one sees it, under its final ids."""
    final = ids or {one.cluster_id: one.cluster_id for one in result.clusters}
    name = [final[one.cluster_id] for one in result.clusters] + [""]
    return Night(
        members={
            trace_id: name[label]
            for trace_id, label in zip(corpus.trace_ids, result.labels.tolist(), strict=True)
        },
        medoids={final[one.cluster_id]: one.medoid_trace_id for one in result.clusters},
        lines={final[one.cluster_id]: one.line for one in result.clusters},
    )


def identity(corpus: Corpus, cache: Path | None) -> None:
    """Print how many persisting failures keep their cluster_id over nights of 10 % churn."""
    for name, embedder in embedders(corpus, cache).items():
        for anchored in (False, True):
            nights(corpus, name, embedder, anchored=anchored)


def nights(corpus: Corpus, name: str, embedder: Embed, *, anchored: bool) -> None:
    """Print the nights of one kind: drawn to last night's clusters, or clustered from scratch."""
    order = shuffled(corpus, 0)
    step = round(N_ROWS * CHURN)
    settings = ClusterSettings()
    rows = order[:N_ROWS]
    tonight = corpus.take(rows)
    last = night_of(tonight, run(tonight, embedder(corpus, rows), settings))
    for night in range(1, (N_NIGHTS if anchored else 1) + 1):
        rows = order[night * step : night * step + N_ROWS]
        tonight = corpus.take(rows)
        known = dict(last.members) if anchored else None
        result = run(tonight, embedder(corpus, rows), settings, known)
        found = match(last, night_of(tonight, result))
        print(
            f"{name} night {night:2d} {'anchored' if anchored else 'from scratch':13}"
            f"kept {found.kept_rate:.3f} of {found.n_persisting} "
            f"(births {len(found.births)}, deaths {len(found.deaths)}, splits "
            f"{len(found.splits)}, merges {len(found.merges)}), "
            f"AMI {adjusted_mutual_info_score(tonight.intents, result.labels):.3f}, "
            f"noise {result.metrics.noise_rate:.3f}, k {result.metrics.n_clusters}"
        )
        last = night_of(tonight, result, dict(found.ids))


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=2, help="samples of 6,000 rows")
    parser.add_argument("--cache", type=Path, help=".npy file that keeps minilm's vectors")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--digest", action="store_true", help="print one digest and stop")
    parser.add_argument("--one-cost", type=int, help="print the cost of one size and stop")
    parser.add_argument("--full", action="store_true", help="with --one-cost: without a sample")
    options = parser.parse_args()
    if options.one_cost:
        print(json.dumps(cost_of(options.data, options.one_cost, full=options.full)))
        return
    corpus = read(options.data)
    if options.digest:
        print(digest(corpus))
        return
    work = {
        "quality": partial(quality, corpus, options.seeds, options.cache),
        "cost": partial(cost, options.data),
        "repeatability": partial(repeatability, options.data),
        "identity": partial(identity, corpus, options.cache),
        "incremental": partial(incremental, corpus, options.cache),
    }
    for part in options.parts:
        print(f"\n{part}")
        work[part]()


if __name__ == "__main__":
    main()
