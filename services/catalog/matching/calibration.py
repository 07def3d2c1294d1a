"""Converts similarity to probability: a logistic curve fitted on courses whose right skills are known.

    calibration = fit(found, right, "description of the data")
    confidence = calibration.confidence(found)          # courses x skills, from 0 to 1

The curve has seven coefficients, one for each of `_features`. They and the thresholds are stored in `calibration.json`,
written by `python -m services.catalog calibrate`. A threshold is the lowest confidence such that, of the rows with this
confidence or more, the required share was right, in every set of the courses. It is measured on courses that the curve
was not fitted on.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from services.catalog.matching.comparison import SimilarityTable
from shared.errors import InvalidInput

VERSION = 2
"""The version of a stored calibration. It changes when the features change, because each has a weight of its own."""
ENTERS, SHOWN = 0.8, 0.5
"""The share of matches that must be right: to use unconfirmed matches in paths, and to show matches to a person."""
FOLDS = 5
LEAST_ROWS = 10
"""The fewest rows from which a threshold is taken: a few rows may all be right by chance."""
CANDIDATES = 50
"""The curve is fitted on this many skills of a course, those most similar by label, and as many by example."""
BINS = 10

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


class ReliabilityBin(Struct, frozen=True):
    """Rows of about the same confidence: their number, their mean confidence, and the share of right rows."""

    rows: int
    confidence: float
    right: float


class Reliability(Struct, frozen=True):
    """The quality of a calibration, measured on courses that the curve was not fitted on.

    `error` is the expected calibration error over the best match of every course. `precision`, `recall` and `entered`
    (the number of matches) are those at the threshold of `ENTERS`, which is also chosen without these courses. `bins`
    groups these best matches by confidence.
    """

    error: float
    precision: float
    recall: float
    entered: int
    bins: list[ReliabilityBin]


class Calibration(Struct, frozen=True):
    """The curve from similarity to confidence, with the thresholds `enters` and `shown`.

    A threshold of 1 means that no confidence was right often enough. `data` describes the data of the fit, `courses`
    and `right` count their courses and right rows, and `measured` is the quality of the curve on each set of courses,
    by its name. Raises ValueError for another version than `VERSION`.
    """

    version: int
    weights: Annotated[list[float], Meta(min_length=7, max_length=7)]
    enters: float
    shown: float
    data: str
    courses: int
    right: int
    measured: dict[str, Reliability]

    def __post_init__(self) -> None:
        if self.version != VERSION:
            raise ValueError(
                f"a calibration of form {self.version}; this program reads form {VERSION}: calibrate again"
            )

    def confidence(self, found: SimilarityTable) -> Array:
        """Return the probability that a course teaches a skill, as an array of courses x skills."""
        return _curve(np.asarray(self.weights), _features(found))


def shipped() -> Calibration:
    """Return the calibration that the package contains."""
    return decoded(files(__package__).joinpath("calibration.json").read_bytes())


def decoded(raw: bytes) -> Calibration:
    """Return the calibration that `raw` holds as JSON. Raises msgspec.DecodeError."""
    return msgspec.json.decode(raw, type=Calibration)


def encoded(calibration: Calibration) -> bytes:
    """Return a calibration as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(calibration), indent=2) + b"\n"


def fit(
    found: SimilarityTable, right: Flags, data: str, *, sets: Sequence[str] = (), precision: float = ENTERS
) -> Calibration:
    """Return the curve fitted to these courses, with its quality by cross-validation.

    `right`, courses x skills, tells which skills each course teaches. `sets` names the set of each course; without it
    all are of one. A threshold holds in every set, and the quality of each is measured. `precision` is the share of
    right matches that the threshold `enters` requires. Raises InvalidInput if all skills are right or none is.
    """
    chosen = _candidates(found)
    features, answers = _features(found), np.asarray(right, dtype=bool)
    folds = np.arange(len(answers)) % FOLDS
    named = np.array(sets or [""] * len(answers))
    held_out = np.zeros(answers.shape)
    entered = np.zeros(answers.shape, dtype=bool)
    for fold in range(FOLDS):
        inside, outside = folds != fold, folds == fold
        weights = _fitted(features[inside][chosen[inside]], answers[inside][chosen[inside]])
        held_out[outside] = _curve(weights, features[outside])
        known = _curve(weights, features[inside])
        entered[outside] = held_out[outside] >= _threshold(known, answers[inside], named[inside], precision)
    weights = _fitted(features[chosen], answers[chosen])
    return Calibration(
        version=VERSION,
        weights=[round(float(weight), 6) for weight in weights],
        enters=round(_threshold(held_out, answers, named, precision), 4),
        shown=round(_threshold(held_out, answers, named, SHOWN), 4),
        data=data,
        courses=len(answers),
        right=int(answers.sum()),
        measured={
            name: measured(held_out[named == name], answers[named == name], entered[named == name])
            for name in dict.fromkeys(named.tolist())
        },
    )


def measured(confidence: Array, right: Flags, entered: Flags) -> Reliability:
    """Return the quality of confidences, courses x skills. `entered`: the rows at the threshold or above it."""
    best, rows = confidence.argmax(axis=1), np.arange(len(confidence))
    bins = reliability(confidence[rows, best], right[rows, best])
    hits = int((entered & right).sum())
    return Reliability(
        error=round(calibration_error(bins), 4),
        precision=round(hits / max(int(entered.sum()), 1), 4),
        recall=round(hits / max(int(right.sum()), 1), 4),
        entered=int(entered.sum()),
        bins=bins,
    )


def fit_rows(labels: Array, titles: Array, examples: Array, right: Flags, data: str) -> Calibration:
    """Return the curve fitted to rows that people decided. Raises InvalidInput if all are right or none is.

    Every array is (rows,): the three similarities, and whether the match is right.
    """
    of_labels, of_titles, of_examples = (one[:, None].astype(np.float32) for one in (labels, titles, examples))
    nearest = np.zeros((len(labels), 1), dtype=np.intp)
    return fit(SimilarityTable(of_labels, of_titles, of_examples, nearest), right[:, None], data)


def reliability(confidence: Array, right: Flags) -> list[ReliabilityBin]:
    """Return the rows in ten bins of confidence, each 0.1 wide, without empty bins. Both arrays are (rows,)."""
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    inside = [places == place for place in range(BINS) if (places == place).any()]
    return [
        ReliabilityBin(int(rows.sum()), round(float(confidence[rows].mean()), 4), round(float(right[rows].mean()), 4))
        for rows in inside
    ]


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Return the expected calibration error: the mean of |confidence - share of right rows|, weighted by rows."""
    total = sum(one.rows for one in bins)
    return sum(one.rows * abs(one.confidence - one.right) for one in bins) / total if total else 0.0


def _features(found: SimilarityTable) -> Array:
    """Return courses x skills x 7: the features whose weighted sum is the log odds."""
    labels, titles, examples = (one.astype(float) for one in (found.labels, found.titles, found.examples))
    near, titled, alike = np.log(labels + 0.05), np.log(titles + 0.05), np.log(examples + 0.01)
    return np.stack([np.ones_like(labels), labels, near, titles, titled, alike, titled * alike], axis=-1)


def _curve(weights: Array, features: Array) -> Array:
    odds: Array = features @ weights
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -40, 40))))


def _candidates(found: SimilarityTable) -> Flags:
    """Return a mask, courses x skills, of the pairs on which the curve is fitted."""
    if found.labels.shape[1] <= CANDIDATES:
        return np.ones(found.labels.shape, dtype=bool)
    chosen = np.zeros(found.labels.shape, dtype=bool)
    for scores in (found.labels, found.examples):
        np.put_along_axis(chosen, np.argpartition(-scores, CANDIDATES, axis=1)[:, :CANDIDATES], values=True, axis=1)
    return chosen


def _fitted(features: Array, right: Flags) -> Array:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - 2 s that only fitting needs

    if right.all() or not right.any():
        raise InvalidInput("needs courses with right skills and courses with wrong ones", "labelled")
    spread = features.std(axis=0)
    spread[spread == 0] = 1.0  # the constant, and a feature that never varies
    middle = features.mean(axis=0)
    model = LogisticRegression(C=1.0, max_iter=2000).fit((features - middle)[:, 1:] / spread[1:], right)
    weights = np.concatenate([[0.0], model.coef_[0] / spread[1:]])
    weights[0] = model.intercept_[0] - float((weights * middle)[1:].sum())
    return np.asarray(weights)


def _threshold(confidence: Array, right: Flags, sets: NDArray[np.str_], precision: float) -> float:
    """Return the least confidence from which on the share of right rows is `precision` in every set; 1 if none is."""
    return max(_threshold_of(confidence[sets == one], right[sets == one], precision) for one in np.unique(sets))


def _threshold_of(confidence: Array, right: Flags, precision: float) -> float:
    order = np.argsort(-confidence, axis=None, kind="stable")
    rows = np.arange(1, len(order) + 1)
    share = np.cumsum(right.ravel()[order]) / rows
    enough = np.flatnonzero((share >= precision) & (rows >= LEAST_ROWS))
    return float(confidence.ravel()[order[enough[-1]]]) if len(enough) else 1.0
