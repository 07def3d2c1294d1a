"""The weights of the level model, fitted on the starter catalog; and on all but a fold of it, to judge them.

A fold holds the courses of one area of a framework, so a course is never judged by weights that saw the courses which
teach the same skills.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec
import numpy as np
from scipy.optimize import minimize

from services.catalog.matching import CourseText
from services.catalog.matching.level_model import (
    WEIGHTS,
    LevelRow,
    LevelTable,
    LevelWeights,
    basis,
    compared,
    log_odds,
    pairs,
)
from shared.domain import Course, Framework
from tests.evaluation import report

SEED = report.ROOT / "deploy" / "seed"
TARGET = report.ROOT / "services" / "catalog" / "matching" / "levels.json"
FRAMEWORKS = ("th-digital-2018", "th-digital-2024")
DATA = "the levels of the starter catalog, written by the project"
_PENALTY = 0.05


def starter() -> list[Course]:
    """Return the courses of the starter catalog."""
    return [msgspec.json.decode(line, type=Course) for line in (SEED / "courses.ndjson").read_bytes().splitlines()]


def framework(name: str) -> Framework:
    """Return a shipped framework."""
    return msgspec.json.decode((SEED / "frameworks" / f"{name}.json").read_bytes(), type=Framework)


def fold_of(courses: Sequence[Course]) -> dict[str, str]:
    """Return the fold of each course: the area of what it teaches first."""
    areas = {(name, skill.id): skill.area for name in FRAMEWORKS for skill in framework(name).skills}
    return {one.id: areas[one.teaches[0].framework, one.teaches[0].skill] for one in courses}


def fitted(courses: Sequence[Course], without: Collection[str] = ()) -> LevelWeights:
    """Return the weights fitted on the rows of the courses, those of some courses left out."""
    sets = []
    for name in FRAMEWORKS:
        one = framework(name)
        table = LevelTable(one.skills, one.scale, LevelWeights([0.0] * WEIGHTS, ""))
        steps = len(one.scale) - 1
        places = {(int(low), int(high)): place for place, (low, high) in enumerate(pairs(steps))}
        answers, used = [], []
        for course in courses:
            rows = [row for row in course.teaches if row.framework == name]
            table.add(CourseText.of(course, name, {}), [LevelRow(row.skill, 1.0) for row in rows])
            answers += [places[int(row.from_level), int(row.to_level)] for row in rows]
            used += [course.id not in without for _ in rows]
        known = np.eye(len(places))[answers] * np.array(used)[:, None]
        sets.append((table.features()[used], table.longer(known)[used], np.array(answers)[used], steps))

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        total, slope = _PENALTY * float(weights @ weights), 2 * _PENALTY * weights
        for features, longer, answers, steps in sets:
            odds = log_odds(weights, features, longer, steps)
            odds -= odds.max(axis=1, keepdims=True)
            chance = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
            rows = np.arange(len(answers))
            total -= float(np.log(chance[rows, answers]).sum())
            chance[rows, answers] -= 1.0
            by_shape = chance @ basis(steps)
            by_length = np.einsum("rp,rpk->k", chance, compared(longer, steps))
            by_features, by_squares = (by_shape[:, :3].T @ features).ravel(), by_shape[:, 3:].sum(axis=0)
            slope = slope + np.concatenate([by_features, by_squares, by_length])
        return total, slope

    found = minimize(loss, np.zeros(WEIGHTS), jac=True, method="L-BFGS-B", options={"maxiter": 1000})
    return LevelWeights([round(float(one), 4) for one in found.x], DATA)


def by_fold(courses: Sequence[Course]) -> dict[str, LevelWeights]:
    """Return the weights for each fold, fitted on the courses of the others."""
    folds = fold_of(courses)
    return {
        fold: fitted(courses, {one for one, of in folds.items() if of == fold}) for fold in sorted(set(folds.values()))
    }


def write(target: Path = TARGET) -> None:
    """Write the weights that ship."""
    weights = fitted(starter())
    target.write_bytes(msgspec.json.format(msgspec.json.encode(weights), indent=2) + b"\n")
