"""Quality, cost, repeatability and identity of `gitloop cluster` on banking77.

    python benchmarks/clustering.py --data ../shared/data

One configuration for everything, the defaults. AMI counts every row, with noise as a label of its
own; ARI counts the rows in a cluster; coverage is their share.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hdbscan
import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from gitloop.core.cluster import Clustering, ClusterSettings, Night, cluster, collapse, match
from gitloop.embedders.tfidf import TfidfEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

N_ROWS = 6_000
N_LARGE = 10_000
N_NIGHTS = 10
CHURN = 0.1


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


def quality(corpus: Corpus, seeds: int) -> None:
    """Print AMI, ARI, coverage and CPU seconds of the pipelines."""
    print(
        f"{'rows':8}{'pipeline':28}{'AMI':>7}{'ARI':>7}{'cover':>7}{'noise':>7}{'k':>5}{'CPU s':>8}"
    )
    for seed in range(seeds):
        sample = corpus.take(shuffled(corpus, seed)[:N_ROWS])
        vectors, embed_s = timed(partial(TfidfEmbedder().embed, sample.texts))
        pipelines = {
            "TF-IDF + SVD + HDBSCAN": partial(plain, vectors),
            "gitloop": partial(labelled, sample, vectors, soft=False),
            "gitloop, soft assignment": partial(labelled, sample, vectors, soft=True),
        }
        print(f"seed {seed}  {'embedding (all three)':28}{embed_s:41.1f}")
        for name, pipeline in pipelines.items():
            labels, cpu_s = timed(pipeline)
            inside = labels >= 0
            truth = np.array(sample.intents)
            print(
                f"seed {seed}  {name:28}{adjusted_mutual_info_score(truth, labels):7.3f}"
                f"{adjusted_rand_score(truth[inside], labels[inside]):7.3f}{inside.mean():7.3f}"
                f"{1 - inside.mean():7.3f}{labels.max() + 1:5d}{cpu_s:8.1f}"
            )


def cost(corpus: Corpus) -> None:
    """Print what 10,000 distinct failures cost."""
    large = corpus.take(shuffled(corpus, 0)[:N_LARGE])
    _, collapse_s = timed(lambda: collapse(large.texts, large.trace_ids))
    vectors, embed_s = timed(lambda: TfidfEmbedder().embed(large.texts))
    _, cluster_s = timed(lambda: run(large, vectors, ClusterSettings()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{N_LARGE} rows, CPU s: collapse {collapse_s:.1f}, embed {embed_s:.1f}, "
        f"cluster {cluster_s:.1f} (limit 10); peak {peak:.0f} MB"
    )


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


def identity(corpus: Corpus, *, anchored: bool) -> None:
    """Print how many persisting failures keep their cluster_id over nights of 10 % churn."""
    order = shuffled(corpus, 0)
    step = round(N_ROWS * CHURN)
    settings = ClusterSettings()
    tonight = corpus.take(order[:N_ROWS])
    last = night_of(tonight, run(tonight, TfidfEmbedder().embed(tonight.texts), settings))
    for night in range(1, (N_NIGHTS if anchored else 1) + 1):
        tonight = corpus.take(order[night * step : night * step + N_ROWS])
        vectors = TfidfEmbedder().embed(tonight.texts)
        known = dict(last.members) if anchored else None
        result = run(tonight, vectors, settings, known)
        found = match(last, night_of(tonight, result))
        print(
            f"night {night:2d} {'anchored' if anchored else 'from scratch':13}"
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
    parser.add_argument("--digest", action="store_true", help="print one digest and stop")
    options = parser.parse_args()
    corpus = read(options.data)
    if options.digest:
        print(digest(corpus))
        return
    quality(corpus, options.seeds)
    cost(corpus)
    repeatability(options.data)
    identity(corpus, anchored=False)
    identity(corpus, anchored=True)


if __name__ == "__main__":
    main()
