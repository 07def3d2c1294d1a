"""Computes the similarity of texts by TF-IDF on n-grams of two to four characters.

N-grams need no word boundaries, so Thai, which has no spaces, can be compared, and misspelt words still match.

The similarity to a label is `cover` * sqrt(cosine). `cover` is the weighted share of the label's n-grams that the text
contains. The cosine is lower, the more other n-grams the text contains. So a long title that contains a whole label is
more similar to the label than a short title that contains half of the label's letters. The similarity to an example,
which is a title too, is the plain cosine.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
NGRAMS = (2, 4)
"""The least and the most characters of an n-gram."""
COMMON = 0.3
"""An n-gram that more than this share of the texts contain is left out: it does not distinguish them."""
RARE_TEXTS = 50
"""With fewer texts than this, no n-gram is left out, because shares of a few texts mean little."""


class Similarity(Protocol):
    """Computes the similarity of texts to labels and to examples, both fixed at construction.

    A class that uses text embeddings could implement it too.
    """

    def read(self, texts: Sequence[str]) -> Any:
        """Return the texts in the form that `to_labels` and `to_examples` take: one row for each text.

        Rows can be selected by numpy indexing.
        """

    def to_labels(self, rows: Any) -> Floats:
        """Return the similarity of each text to each label: texts x labels, from 0 to 1."""

    def to_examples(self, rows: Any) -> Floats:
        """Return the similarity of each text to each example: texts x examples, from 0 to 1."""


class NgramSimilarity:
    """Similarity by character n-grams. An n-gram's weight depends on how many labels and examples contain it."""

    def __init__(self, labels: Sequence[str], examples: Sequence[str]) -> None:
        corpus = [*labels, *examples]
        try:
            self._vectors = _vectorizer(COMMON if len(corpus) >= RARE_TEXTS else 1.0)
            every = self._vectors.fit_transform(corpus).tocsr()
        except ValueError:  # nearly all texts are the same
            self._vectors = _vectorizer(1.0)
            every = self._vectors.fit_transform(corpus).tocsr()
        self._examples = every[len(labels) :].T.tocsr()
        self._labels = (every[: len(labels)] if examples else every).T.tocsr()
        self._shares = self._labels.copy()
        self._shares.data **= 2
        self._shares.indices, self._shares.indptr = self._labels.indices, self._labels.indptr  # half of the memory

    def read(self, texts: Sequence[str]) -> Any:
        """Return the weight of each n-gram in each text, as a sparse matrix of texts x n-grams."""
        return self._vectors.transform(texts)

    def to_labels(self, rows: Any) -> Floats:
        """Return the similarity of each text to each label: texts x labels, from 0 to 1."""
        held = rows.copy()
        held.data = np.ones_like(rows.data)
        cosine, cover = (rows @ self._labels).toarray(), (held @ self._shares).toarray()
        return np.asarray(np.clip(np.sqrt(cosine) * cover, 0.0, 1.0), dtype=np.float32)

    def to_examples(self, rows: Any) -> Floats:
        """Return the similarity of each text to each example: texts x examples, from 0 to 1."""
        return np.asarray((rows @ self._examples).toarray().clip(0.0, 1.0), dtype=np.float32)


def _vectorizer(most: float) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - 2 s that only matching needs

    return TfidfVectorizer(
        analyzer="char_wb", ngram_range=NGRAMS, lowercase=False, sublinear_tf=True, dtype=np.float32, max_df=most
    )
