"""Computes the similarity of texts by TF-IDF on n-grams of two to four characters.

N-grams need no word boundaries, so Thai, which has no spaces, can be compared, and misspelt words still match.

The similarity to a label is `cover` * sqrt(cosine). The cover of a word of a label is the weighted share of its n-grams
that the text contains; `cover` is the weighted geometric mean over the words of the label. So a text that lacks a whole
word of the label ("computer science" and "data science") is less similar to it than one that spells a word otherwise.
Thai has no spaces, so a Thai label counts as one word or a few. The cosine is lower, the more other n-grams the text
contains. So a long title that contains a whole label is more similar to the label than a short title that contains half
of the label's letters. The similarity to an example, which is a title too, is the plain cosine.
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
MISSING = 0.05
"""The cover of a word of which the text contains nothing. With 0, a text that lacks an "and" would be as dissimilar as
one that lacks every word. It was chosen on courses that are not in any published figure."""
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
        words, self._word_weights = self._words_of(labels)
        self._shares = self._vectors.transform(words).T.tocsr()
        self._shares.data **= 2

    def _words_of(self, labels: Sequence[str]) -> tuple[list[str], Any]:
        """Return the words of all labels, and their weights in each label: words x labels, of a label 1 in sum."""
        from scipy.sparse import csr_matrix  # noqa: PLC0415 - needed with scikit-learn alone

        places: dict[str, int] = {}
        rows, columns = [], []
        for column, label in enumerate(labels):
            for word in label.split():
                rows.append(places.setdefault(word, len(places)))
                columns.append(column)
        analyzed, known, rarity = self._vectors.build_analyzer(), self._vectors.vocabulary_, self._vectors.idf_**2
        weights = np.array([sum(rarity[known[one]] for one in analyzed(word) if one in known) for word in places])
        found = np.asarray(weights[rows] if rows else [], dtype=np.float32)
        total = np.maximum(np.bincount(columns, found, len(labels)), np.finfo(np.float32).tiny)
        shape = (len(places), len(labels))
        return list(places), csr_matrix(((found / total[columns]).astype(np.float32), (rows, columns)), shape)

    def read(self, texts: Sequence[str]) -> Any:
        """Return the weight of each n-gram in each text, as a sparse matrix of texts x n-grams."""
        return self._vectors.transform(texts)

    def to_labels(self, rows: Any) -> Floats:
        """Return the similarity of each text to each label: texts x labels, from 0 to 1."""
        held = rows.copy()
        held.data = np.ones_like(rows.data)
        covered = held @ self._shares
        covered.data = np.log1p(covered.data.clip(0.0, 1.0) * (1 / MISSING - 1))
        cover = MISSING * np.exp((covered @ self._word_weights).toarray())
        cosine = (rows @ self._labels).toarray().clip(0.0, 1.0)
        return np.asarray(np.clip(np.sqrt(cosine) * cover, 0.0, 1.0), dtype=np.float32)

    def to_examples(self, rows: Any) -> Floats:
        """Return the similarity of each text to each example: texts x examples, from 0 to 1."""
        return np.asarray((rows @ self._examples).toarray().clip(0.0, 1.0), dtype=np.float32)


def _vectorizer(most: float) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - 2 s that only matching needs

    return TfidfVectorizer(
        analyzer="char_wb", ngram_range=NGRAMS, lowercase=False, sublinear_tf=True, dtype=np.float32, max_df=most
    )
