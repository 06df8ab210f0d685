"""BM25 over texts in memory, by bm25s: a baseline and a source of negatives. Knows no passages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osler.errors import require


class BM25:
    """The BM25 scores of texts (Lucene's, k1 1.5, b 0.75): English stop words are left out, words are stemmed.

    >>> BM25(["Fluid around the heart.", "A brittle bone."]).scores("bones").argmax()
    np.int64(1)
    """

    def __init__(self, texts: Sequence[str], *, extra: str = "evaluate") -> None:
        self._bm25s: Any = require("bm25s", extra=extra)
        self._stem: Any = require("Stemmer", extra=extra).Stemmer("english")
        self._texts = len(texts)
        self._index = self._bm25s.BM25()
        self._index.index(self._words(list(texts)), show_progress=False)

    def scores(self, query: str) -> NDArray[np.float32]:
        """[texts], in their order; 0 for a text that shares no word with the query."""
        words = [word for word in self._words([query])[0] if word]  # bm25s has an empty word for a text without any
        if not words:
            return np.zeros(self._texts, dtype=np.float32)
        scores: NDArray[np.float32] = self._index.get_scores(words)
        return scores

    def _words(self, texts: list[str]) -> list[list[str]]:
        words: list[list[str]] = self._bm25s.tokenize(
            texts, stopwords="en", stemmer=self._stem, return_ids=False, show_progress=False
        )
        return words
