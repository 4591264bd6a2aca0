"""The embedded default: TF-IDF of words and characters, reduced by a truncated SVD.

It needs no model, no network and no fit that outlives the call: the vectors describe the texts of
one call to each other. Vectors from two calls lie in two different spaces.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import sparse
from scipy.linalg import eigh
from scipy.sparse.linalg import svds
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from gitloop.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

MAX_CHARS = 2_000
"""Of a longer text, only the first and the last half of this many characters count."""

MIN_DIMENSIONS, MAX_DIMENSIONS = 2, 1_024
_DENSE_SIDE = 512
_DECIMALS = 6


class TfidfEmbedder:
    """Texts as unit vectors, close when they share words or parts of words.

    Words (1-2 grams) and characters (3-5 grams within words) are weighted with sublinear TF-IDF,
    scaled to unit length, joined with equal weight, and reduced by a truncated SVD (latent
    semantic analysis, Deerwester et al. 1990).

    Args:
        dimensions: Length of the vectors, 2 to 1,024. Corpora with fewer directions leave the
            last columns zero.
        root: Not looked at.

    Raises:
        ConfigError: `dimensions` is out of range, or a parameter is given: there is none.
    """

    id: ClassVar[str] = "tfidf"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        dimensions: int = 128,
        root: Path | None = None,  # noqa: ARG002 -- the protocol's
        **parameters: Any,  # noqa: ANN401
    ) -> None:
        if parameters:
            names = ", ".join(sorted(parameters))
            raise ConfigError(
                f"embedder tfidf has no parameter {names}", hint="edit params.yaml: embedder"
            )
        if not MIN_DIMENSIONS <= dimensions <= MAX_DIMENSIONS:
            raise ConfigError(
                f"embedder tfidf takes {MIN_DIMENSIONS} to {MAX_DIMENSIONS} dimensions, "
                f"not {dimensions}",
                hint="edit params.yaml: embedder.dimensions",
            )
        self.dimensions = dimensions

    def embed(
        self,
        texts: Sequence[str],
        trace_ids: Sequence[str] = (),  # noqa: ARG002 -- the protocol's
    ) -> NDArray[np.float32]:
        """Return one unit vector per text, or zeros for a text without a single feature.

        Equal texts get equal vectors, and the order of the texts changes nothing. The same bytes
        come back for any number of threads.

        Args:
            texts: Any strings; of those above `MAX_CHARS`, the head and the tail are read.
            trace_ids: Not looked at.

        Returns:
            float32 of shape (len(texts), dimensions), rounded to six decimals.
        """
        clean = [prepare(text) for text in texts]
        distinct = sorted(set(clean))
        vectors = np.zeros((len(distinct), self.dimensions), dtype=np.float32)
        if distinct:
            # One BLAS thread: the order in which threads add up would show in the last bits.
            with threadpool_limits(limits=1):
                reduced = _reduce(_weigh(distinct), self.dimensions)
            vectors[:, : reduced.shape[1]] = np.round(reduced, _DECIMALS)
        row_of = {text: row for row, text in enumerate(distinct)}
        return vectors[[row_of[text] for text in clean]]


def prepare(text: str) -> str:
    """Return the part of a text that is embedded: its head and tail, NFC, case-folded.

    Lone surrogates, which no encoder accepts, become question marks.
    """
    if len(text) > MAX_CHARS:
        half = MAX_CHARS // 2
        text = f"{text[:half]} {text[-half:]}"
    folded = unicodedata.normalize("NFC", text).casefold()
    return folded.encode("utf-8", "replace").decode("utf-8")


def _weigh(texts: Sequence[str]) -> Any:  # noqa: ANN401 (a scipy CSR array, untyped)
    """Return the sparse TF-IDF rows of unit length, float64 (n, used features)."""
    halves = []
    # Hashing bounds the memory: a vocabulary of base64 and code would not fit.
    for analyzer, ngrams, bits in (("word", (1, 2), 18), ("char_wb", (3, 5), 20)):
        counts = HashingVectorizer(
            analyzer=analyzer,
            ngram_range=ngrams,
            n_features=2**bits,
            lowercase=False,
            alternate_sign=False,
            norm=None,
        ).transform(texts)
        halves.append(TfidfTransformer(sublinear_tf=True).fit_transform(counts))
    rows = sparse.hstack(halves, format="csc")
    rows = rows[:, np.diff(rows.indptr) > 0].tocsr()
    return normalize(rows) if rows.shape[1] else rows


def _reduce(rows: Any, dimensions: int) -> NDArray[np.float64]:  # noqa: ANN401
    """Return U·S of the truncated SVD with a fixed sign, rows scaled to unit length."""
    n_texts, n_features = rows.shape
    if n_features == 0:
        return np.zeros((n_texts, 1))
    rank = min(dimensions, n_texts, n_features)
    if n_texts <= _DENSE_SIDE:
        gram = (rows @ rows.T).toarray()
        values, left = eigh(gram, subset_by_index=[n_texts - rank, n_texts - 1])
        scores = left * np.sqrt(np.clip(values, 0.0, None))
    elif n_features <= _DENSE_SIDE:
        gram = (rows.T @ rows).toarray()
        _, right = eigh(gram, subset_by_index=[n_features - rank, n_features - 1])
        scores = rows @ right
    else:
        start = np.ones(min(rows.shape))
        left, singular, _ = svds(rows, k=rank, v0=start, return_singular_vectors="u")
        scores = left * singular
    return _canonical(scores)


def _canonical(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit rows with columns by falling weight, each with its largest entry positive."""
    weights = np.linalg.norm(scores, axis=0)
    # Directions that carry nothing are numerical noise: they become exact zeros.
    scores = np.where(weights < 1e-6 * weights.max(), 0.0, scores)
    scores = scores[:, np.argsort(-weights, kind="stable")]
    peaks = scores[np.abs(scores).argmax(axis=0), np.arange(scores.shape[1])]
    lengths = np.linalg.norm(scores, axis=1, keepdims=True)
    # A text without a feature is zero, not noise of length one.
    lengths = np.where(lengths < 1e-9, np.inf, lengths)
    return np.asarray(scores * np.where(peaks < 0, -1.0, 1.0) / lengths)
