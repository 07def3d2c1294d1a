"""Text similarity: TF-IDF on character n-grams of two to four characters.

N-grams need no word boundaries, so Thai, which has no spaces, and typing errors are handled.

The similarity to a label (the name of a skill) combines two figures: the weighted share of the label's n-grams that are
in the text (`cover`), and the cosine, which falls with the rest of the text. Their product, with the cosine under a
root, is the similarity: a long title that contains a whole label is closer to it than a short one that shares half of
its letters. For a text of the same kind, another course's title, the plain cosine is used.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
NGRAMS = (2, 4)
"""The least and the most characters of an n-gram."""
COMMON = 0.3
"""An n-gram that is in more than this share of the texts does not distinguish them, and is left out."""
RARE_TEXTS = 50
"""With fewer texts than this no n-gram is left out, because shares of a few texts mean little."""


class Similarity(Protocol):
    """Compares texts with labels and with examples, which are fixed at construction. An embedder may replace it."""

    def read(self, texts: Sequence[str]) -> Any:
        """Return a row for each text; rows can be selected by numpy indexing."""

    def to_labels(self, rows: Any) -> Floats:
        """Return the similarity of each text to each label: texts x labels, from 0 to 1."""

    def to_examples(self, rows: Any) -> Floats:
        """Return texts x examples, each from 0 to 1."""


class NgramSimilarity:
    """Similarity by character n-grams; document frequencies are counted over labels and examples together."""

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
        """Return the weights of the n-grams of each text: a sparse matrix, texts x n-grams."""
        return self._vectors.transform(texts)

    def to_labels(self, rows: Any) -> Floats:
        """Return the similarity of each text to each label: texts x labels, from 0 to 1."""
        held = rows.copy()
        held.data = np.ones_like(rows.data)
        cosine, cover = (rows @ self._labels).toarray(), (held @ self._shares).toarray()
        return np.asarray(np.clip(np.sqrt(cosine) * cover, 0.0, 1.0), dtype=np.float32)

    def to_examples(self, rows: Any) -> Floats:
        """Return texts x examples, each from 0 to 1."""
        return np.asarray((rows @ self._examples).toarray().clip(0.0, 1.0), dtype=np.float32)


def _vectorizer(most: float) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - 2 s that only matching needs

    return TfidfVectorizer(
        analyzer="char_wb", ngram_range=NGRAMS, lowercase=False, sublinear_tf=True, dtype=np.float32, max_df=most
    )
