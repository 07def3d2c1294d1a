"""`python -m tests.evaluation.real_answers`: first answers of real learners predict their later ones, skill by skill.

The answers are those of `assist2009_pid` in DATASETS_DIR: learners, problems, skills, right or wrong. They are not
stored. A fifth of the learners is tested: the first half of a learner's answers to a skill measures the level with the
code that a session runs (`services.assessment.measurement`), and the other half is predicted as the probability of a
right answer, averaged over the posterior of the level. Difficulties come from all answers of the other learners and
from the first halves, never from what is predicted. Compared with these, on the same answers:

    majority       everybody answers as most do: the share of right answers in all that may be looked at
    running mean   the learner's own share of right answers in the skill so far, with two answers of the average learner
    Rasch fit      one penalised joint fit of learners and problems for each skill; the learner's estimate is its mode

The scale is one of 0 to 4, as the national framework's: the mean of a skill's learners is 2, and their standard
deviation is that of a session's prior.
"""

import argparse
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from sklearn.metrics import log_loss, roc_auc_score

from services.assessment.measurement.posterior import Grid, mean_and_sd, updated
from services.assessment.measurement.response_models import Floats, option_probabilities
from tests.evaluation import real, report
from tests.evaluation.gates import Gate

BEGIN, END = "<!-- answers -->", "<!-- /answers -->"
FILE = Path("assist2009_pid") / "assist2009_pid_train1.csv"
OURS, MAJORITY, MEAN, RASCH = "posterior of a session", "majority", "running mean", "Rasch fit"
METHODS = (MAJORITY, MEAN, RASCH, OURS)
_SCALE = (0.0, 1.0, 2.0, 3.0, 4.0)
_MIDDLE = 2.0
_EVERY = 5
_LEAST_ANSWERS = 2
_AVERAGE_ANSWERS = 2.0
_ROUNDS = 30
_WITHIN = 0.01
_BETTER = 0.001
Whole = NDArray[np.int64]


class Answers(NamedTuple):
    """Answers in the order they were given: arrays of learner, problem, skill, and right (1) or wrong (0)."""

    learner: Whole
    problem: Whole
    skill: Whole
    right: Whole

    def part(self, mask: NDArray[np.bool_]) -> "Answers":
        """Return some of the answers."""
        return Answers(*(column[mask] for column in self))


@dataclass(frozen=True)
class Rasch:
    """A fit of one skill, in logits: the ability of each learner (0 if unknown), the difficulty of each problem.

    `spread`: the standard deviation of the abilities.
    """

    learners: Floats
    problems: Floats
    spread: float


def answers() -> Answers | None:
    """Return the real answers; None without the set."""
    folder = os.environ.get(real.SETTING)
    path = Path(folder) / FILE if folder else None
    if path is None or not path.is_file():
        return None
    columns: tuple[list[int], ...] = ([], [], [], [])
    with path.open(encoding="utf-8-sig") as opened:
        lines = [line.strip().rstrip(",") for line in opened]
    for learner, start in enumerate(range(0, len(lines) - 3, 4)):
        problems, skills, rights = ([int(cell) for cell in lines[start + n].split(",")] for n in (1, 2, 3))
        columns[0].extend([learner] * len(problems))
        columns[1].extend(problems)
        columns[2].extend(skills)
        columns[3].extend(rights)
    return Answers(*(np.array(column, dtype=np.int64) for column in columns))


# --- what may be looked at, and what is predicted --------------------------------------------------------------------


def split(found: Answers) -> tuple[Answers, Answers]:
    """Return what may be looked at and what is to be predicted: the later half of every fifth learner in each skill."""
    order = np.lexsort((np.arange(len(found.learner)), found.skill, found.learner))
    pair = found.learner[order] * (found.skill.max() + 1) + found.skill[order]
    _, first, counts = np.unique(pair, return_index=True, return_counts=True)
    place = np.arange(len(pair)) - np.repeat(first, counts)
    many = np.repeat(counts, counts)
    late = np.zeros(len(pair), dtype=np.bool_)
    late[order] = (place >= (many + 1) // 2) & (many >= _LEAST_ANSWERS)
    late &= found.learner % _EVERY == 0
    return found.part(~late), found.part(late)


# --- the Rasch fit ---------------------------------------------------------------------------------------------------


def rasch(seen: Answers, learners: int, problems: int) -> Rasch:
    """Fit abilities and difficulties of one skill in turns, each with a normal prior of the fitted spread."""
    theta, difficulty = np.zeros(learners), np.zeros(problems)
    spread = wide = 1.0
    middle = 0.0
    seen_learners = np.bincount(seen.learner, minlength=learners) > 0
    seen_problems = np.bincount(seen.problem, minlength=problems) > 0
    for _ in range(_ROUNDS):
        theta, error = _step(theta, seen.learner, _miss(seen, theta, difficulty), 0.0, spread, sign=1.0)
        spread = max(float(np.sqrt(np.mean(theta[seen_learners] ** 2 + error[seen_learners]))), 0.1)
        difficulty, error = _step(difficulty, seen.problem, _miss(seen, theta, difficulty), middle, wide, sign=-1.0)
        middle = float(difficulty[seen_problems].mean())
        wide = max(float(np.sqrt(np.mean((difficulty[seen_problems] - middle) ** 2 + error[seen_problems]))), 0.1)
    return Rasch(theta, np.where(seen_problems, difficulty, middle), spread)


def _miss(seen: Answers, theta: Floats, difficulty: Floats) -> tuple[Floats, Floats]:
    """Return how far each answer is from what is expected of it, and how uncertain it is."""
    expected = 1.0 / (1.0 + np.exp(difficulty[seen.problem] - theta[seen.learner]))
    return seen.right - expected, expected * (1.0 - expected)


def _step(
    values: Floats, who: Whole, miss: tuple[Floats, Floats], middle: float, spread: float, *, sign: float
) -> tuple[Floats, Floats]:
    """Return the values after a Newton step with a normal penalty, and their variances."""
    count = len(values)
    slope = sign * np.bincount(who, miss[0], count) - (values - middle) / spread**2
    curve = np.bincount(who, miss[1], count) + 1.0 / spread**2
    return np.asarray(values + np.clip(slope / curve, -1.0, 1.0)), np.asarray(1.0 / curve)


# --- the predictions -------------------------------------------------------------------------------------------------


def predicted(seen: Answers, late: Answers) -> dict[str, Floats]:
    """Return by method the probability of a right answer, for each answer that is to be predicted."""
    found = {name: np.zeros(len(late.right)) for name in METHODS}
    found[MAJORITY][:] = seen.right.mean()
    for skill in np.unique(late.skill):
        of_seen, of_late = seen.part(seen.skill == skill), late.part(late.skill == skill)
        here = late.skill == skill
        learners, one = np.unique(np.concatenate([of_seen.learner, of_late.learner]), return_inverse=True)
        problems, two = np.unique(np.concatenate([of_seen.problem, of_late.problem]), return_inverse=True)
        ends = len(of_seen.right)
        known = of_seen._replace(learner=one[:ends], problem=two[:ends])
        held_out = of_late._replace(learner=one[ends:], problem=two[ends:])
        fit = rasch(known, len(learners), len(problems))
        found[MEAN][here] = _running_mean(known, held_out, len(learners))
        found[RASCH][here] = 1.0 / (1.0 + np.exp(fit.problems[held_out.problem] - fit.learners[held_out.learner]))
        found[OURS][here] = _by_posterior(fit, known, held_out)
    return found


def _running_mean(known: Answers, held_out: Answers, learners: int) -> Floats:
    average = known.right.mean() if len(known.right) else 0.5
    rights = np.bincount(known.learner, known.right, learners) + _AVERAGE_ANSWERS * average
    return np.asarray((rights / (np.bincount(known.learner, minlength=learners) + _AVERAGE_ANSWERS))[held_out.learner])


def _by_posterior(fit: Rasch, known: Answers, held_out: Answers) -> Floats:
    """Measure each learner as a session does, and predict from the posterior."""
    grid = Grid.over(_SCALE)
    _, spread = mean_and_sd(grid, grid.prior())
    levels_a_logit = spread / fit.spread
    discrimination = np.full(len(fit.problems), 1.0 / levels_a_logit)
    thresholds = (_MIDDLE + fit.problems * levels_a_logit)[:, None]
    right = option_probabilities(discrimination, thresholds, grid.points)[:, 1]
    posteriors = {}
    for learner in np.unique(held_out.learner):
        posterior = grid.prior()
        for place in np.flatnonzero(known.learner == learner):
            likelihood = right[known.problem[place]]
            posterior = updated(posterior, likelihood if known.right[place] else 1.0 - likelihood)
        posteriors[learner] = posterior
    pairs = zip(held_out.learner, held_out.problem, strict=True)
    return np.array([float(posteriors[learner] @ right[problem]) for learner, problem in pairs])


# --- the gates -------------------------------------------------------------------------------------------------------


def figures(late: Answers, found: dict[str, Floats]) -> dict[str, tuple[float, float]]:
    """Return by method the AUC and the log-loss."""
    return {
        name: (
            float(roc_auc_score(late.right, predicted_right)),
            float(log_loss(late.right, np.clip(predicted_right, 1e-6, 1 - 1e-6))),
        )
        for name, predicted_right in found.items()
    }


def gates(scores: dict[str, tuple[float, float]], note: str) -> Iterator[Gate]:
    """Yield the rows."""
    auc, loss = scores[OURS]
    for other in (MAJORITY, MEAN):
        yield Gate(f"AUC over that of the {other}", auc - scores[other][0], "", low=_BETTER, note=note)
        yield Gate(f"log-loss below that of the {other}", scores[other][1] - loss, "", low=_BETTER)
    yield Gate("AUC below that of the Rasch fit", scores[RASCH][0] - auc, "", high=_WITHIN)


def write_docs(scores: dict[str, tuple[float, float]], rows: Sequence[Gate], note: str) -> None:
    """Put the figures between the marks of docs/evaluation.md."""
    lines = [
        f"Measured on {datetime.now(UTC):%d %B %Y} by `python -m tests.evaluation.real_answers`: {note}.",
        "",
        "| prediction | AUC | log-loss |",
        "| --- | --- | --- |",
        *(f"| {name} | {auc:.4f} | {loss:.4f} |" for name, (auc, loss) in scores.items()),
        "",
        "| gate | value | target | verdict |",
        "| --- | --- | --- | --- |",
        *(f"| {row.name} | {row.value:.4f} | {row.target} | {row.verdict} |" for row in rows),
    ]
    section = "\n".join([BEGIN, *lines, END])
    text = report.PAGE.read_text(encoding="utf-8")
    report.PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: section, text, flags=re.DOTALL), encoding="utf-8")


def main() -> int:
    """Measure, print, write; return 1 where a gate is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation.real_answers")
    parser.add_argument("--print", action="store_true", dest="only", help="print only; docs/ stays as it is")
    arguments = parser.parse_args()
    console = Console(width=170)
    found = answers()
    if found is None:
        console.print(f"The prediction of real answers is skipped: {real.SETTING} is not set, or has no {FILE}.")
        return 0
    seen, late = split(found)
    scores = figures(late, predicted(seen, late))
    note = f"{len(late.right):,} of {len(found.right):,} answers, {len(np.unique(late.skill))} skills"
    rows = list(gates(scores, note))
    for name, (auc, loss) in scores.items():
        console.print(f"{name:24} AUC {auc:.4f}   log-loss {loss:.4f}")
    for row in rows:
        console.print(f"{row.name:40} {row.value:.4f}   {row.target}   {row.verdict}")
    if not arguments.only:
        write_docs(scores, rows, note)
    return int(any(row.passed is False for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
