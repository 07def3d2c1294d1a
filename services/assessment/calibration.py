"""Fits item parameters to stored answers, links them to the level scale, and measures item fit.

The parameters of a skill's items are fitted together by marginal maximum likelihood of the graded response model; a
choice item has two grades (`girth`, an optional extra, imported only for a fit). The unit of the fit is the standard
deviation of the officers who answered, not a level. Mean-sigma linking (Kolen & Brennan, Test equating, scaling, and
linking, 2014) turns the fit into levels, keeping mean and spread of the thresholds of the fitted items. So a
calibration moves items relative to each other and never the scale.

Fit is judged by comparing every answer with its expectation from the officer's other answers: `misfit` is the mean
squared standardised residual, 1 if the model is right; the correlation shows whether an item agrees with the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.assessment.item_bank.model import Item, ItemParameters, parameters_of
from services.assessment.measurement.posterior import Grid
from services.assessment.measurement.response_models import Floats, option_probabilities, padded

LEAST_ANSWERS = 200
"""How many answers an item needs to be fitted, unless asked otherwise."""

LEAST_OF_OPTION = 5
"""How many officers must have chosen each option of a graded item, or answered a choice item right, and wrong."""

LEAST_ITEMS = 3
"""The smallest number of items of a skill that are fitted together."""

MISFIT = (0.7, 1.3)
"""The range of `misfit` in which an item follows the model."""

LEAST_DISCRIMINATION = 0.4
"""A fitted item whose discrimination, per level, is below this is reported as misfitting too."""

_GROUPS = 5
_SPREAD = (0.2, 5.0)
_DISCRIMINATIONS = (0.05, 10.0)
_LOCATIONS = (-20.0, 120.0)
_MISSING = -1
Scores = NDArray[np.int64]


@dataclass(frozen=True)
class ItemFit:
    """The result for one item. `parameters`: the fitted ones, or None with a `reason` if the item is unchanged.

    `misfit`, `correlation`: None without enough answers. `curve`: (level, expected share, observed share) of each group
    of officers with similar levels; a share is the mean score divided by the item's highest one.
    """

    item: Item
    answers: int
    parameters: ItemParameters | None = None
    reason: str = ""
    misfit: float | None = None
    correlation: float | None = None
    curve: tuple[tuple[float, float, float], ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the item follows the model and discriminates between levels; True without enough answers."""
        parameters = parameters_of(self.item) if self.parameters is None else self.parameters
        fits = self.misfit is None or MISFIT[0] <= self.misfit <= MISFIT[1]
        return fits and (self.parameters is None or parameters.discrimination >= LEAST_DISCRIMINATION)


@dataclass(frozen=True)
class SkillFit:
    """The items of one skill after the fit. `sessions`: how many sessions had answers to them."""

    skill: str
    sessions: int
    items: tuple[ItemFit, ...] = field(default_factory=tuple)


def calibrated(
    items: Sequence[Item], sessions: Sequence[Mapping[str, int]], scale: Sequence[float], least: int = LEAST_ANSWERS
) -> list[SkillFit]:
    """Fit the items of every skill to stored answers; return the skills in the order of their first items.

    `sessions`: {item id: score} of each session. `scale`: the levels of the framework. `least`: how many answers an
    item needs to be fitted. Raises ImportError without girth.
    """
    by_skill: dict[str, list[Item]] = {}
    for item in items:
        by_skill.setdefault(item.skill, []).append(item)
    return [_of_skill(skill, of_skill, sessions, Grid.over(scale), least) for skill, of_skill in by_skill.items()]


def with_parameters(items: Sequence[Item], found: Sequence[SkillFit]) -> list[Item]:
    """Return the items with their fitted parameters; items that were not fitted are unchanged."""
    fitted = {one.item.id: one.parameters for of in found for one in of.items if one.parameters is not None}
    return [msgspec.structs.replace(item, parameters=fitted.get(item.id, item.parameters)) for item in items]


def _of_skill(
    skill: str, items: Sequence[Item], sessions: Sequence[Mapping[str, int]], grid: Grid, least: int
) -> SkillFit:
    scores = _scores(items, sessions)
    reasons = [_not_fitted(item, row, least) for item, row in zip(items, scores, strict=True)]
    chosen = [place for place, reason in enumerate(reasons) if not reason]
    parameters: dict[int, ItemParameters] = {}
    if len(chosen) >= LEAST_ITEMS:
        for place, found in zip(chosen, _fitted([items[i] for i in chosen], scores[chosen]), strict=True):
            if isinstance(found, str):
                reasons[place] = found
            else:
                parameters[place] = found
    else:
        reasons = [reason or f"fewer than {LEAST_ITEMS} items of the skill can be fitted" for reason in reasons]
    used = [parameters.get(place) or parameters_of(item) for place, item in enumerate(items)]
    return SkillFit(skill, scores.shape[1], tuple(_judged(items, scores, used, grid, parameters, reasons)))


def _scores(items: Sequence[Item], sessions: Sequence[Mapping[str, int]]) -> Scores:
    """Return scores as (items, sessions), -1 for no answer; sessions without answers are left out."""
    rows = [[one.get(item.id, _MISSING) for item in items] for one in sessions]
    table = np.array(rows, dtype=np.int64).reshape(-1, len(items)).T
    return table[:, (table != _MISSING).any(axis=0)]


def _grades(item: Item) -> int:
    return 2 if item.kind == "choice" else len(item.options)


def _not_fitted(item: Item, row: Scores, least: int) -> str:
    """Return why an item cannot be fitted; empty if it can."""
    answers = int((row != _MISSING).sum())
    if answers < least:
        return f"{answers} answers, {least} are needed"
    counts = [int((row == score).sum()) for score in range(_grades(item))]
    if min(counts) < LEAST_OF_OPTION:
        place = counts.index(min(counts))
        what = ("wrong", "right")[place] if item.kind == "choice" else f"option {place + 1}"
        return f"{what}: {counts[place]} answers, {LEAST_OF_OPTION} are needed"
    return ""


def _fitted(items: Sequence[Item], scores: Scores) -> list[ItemParameters | str]:
    """Return the fitted parameters of each item on the level scale, or why they cannot be used."""
    from girth import grm_mml  # noqa: PLC0415 - an optional extra, never imported by the service
    from girth.utilities import INVALID_RESPONSE  # noqa: PLC0415 - an optional library

    with np.errstate(all="ignore"):
        found = grm_mml(np.where(scores == _MISSING, INVALID_RESPONSE, scores + 1))
    slopes = np.asarray(found["Discrimination"], dtype=np.float64)
    places = [
        np.asarray(row, dtype=np.float64)[: _grades(item) - 1]
        for item, row in zip(items, np.atleast_2d(found["Difficulty"]), strict=True)
    ]
    usable = [
        np.isfinite(slope) and slope > 0 and np.isfinite(row).all() and np.all(np.diff(row) > 0)
        for slope, row in zip(slopes, places, strict=True)
    ]
    spread, middle = _link(
        [row for row, good in zip(places, usable, strict=True) if good],
        [parameters_of(item).boundaries for item, good in zip(items, usable, strict=True) if good],
    )
    parameters: list[ItemParameters | str] = []
    for item, slope, row, good, answered in zip(items, slopes, places, usable, scores, strict=True):
        levels = [round(float(level), 6) for level in spread * row + middle]
        discrimination = round(float(slope) / spread, 6)
        bounded = _DISCRIMINATIONS[0] <= discrimination <= _DISCRIMINATIONS[1] and all(
            _LOCATIONS[0] <= level <= _LOCATIONS[1] for level in levels
        )
        if not good or not bounded:
            parameters.append("the fit does not tell levels apart by it")
            continue
        where = {"difficulty": levels[0]} if item.kind == "choice" else {"thresholds": levels}
        parameters.append(ItemParameters(discrimination, answers=int((answered != _MISSING).sum()), **where))
    return parameters


def _link(fitted: Sequence[Floats], present: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return the levels per unit of the fit, and the level of its zero."""
    if not fitted:
        return 1.0, 0.0
    after, before = np.concatenate(list(fitted)), np.concatenate([np.asarray(row) for row in present])
    spread = float(np.clip(before.std() / max(float(after.std()), 1e-6), *_SPREAD))
    return spread, float(before.mean() - spread * after.mean())


def _judged(  # noqa: PLR0913, PLR0917 - the parts of one skill
    items: Sequence[Item],
    scores: Scores,
    used: Sequence[ItemParameters],
    grid: Grid,
    parameters: Mapping[int, ItemParameters],
    reasons: Sequence[str],
) -> list[ItemFit]:
    """Return every item with its fit, given levels estimated from the officers' answers to the other items."""
    slopes = np.array([one.discrimination for one in used])
    options = option_probabilities(slopes, padded([one.boundaries for one in used]), grid.points)
    likelihoods = [
        np.log(np.maximum(options[place][np.maximum(row, 0)], 1e-12)) * (row != _MISSING)[:, None]
        for place, row in enumerate(scores)
    ]
    total = np.log(grid.prior()) + sum(likelihoods, np.zeros((scores.shape[1], len(grid.points))))
    found = []
    for place, (item, row) in enumerate(zip(items, scores, strict=True)):
        there = row != _MISSING
        answers = int(there.sum())
        one = ItemFit(item, answers, parameters.get(place), "" if place in parameters else reasons[place])
        if answers >= _GROUPS * LEAST_OF_OPTION:
            weights = np.exp(total[there] - likelihoods[place][there])
            weights /= weights.sum(axis=1, keepdims=True)
            one = _with_fit(one, row[there], weights, options[place], grid)
        found.append(one)
    return found


def _with_fit(one: ItemFit, scores: Scores, posterior: Floats, options: Floats, grid: Grid) -> ItemFit:
    grades = np.arange(len(options))
    expected = posterior @ (grades @ options)
    variance = np.maximum(posterior @ (grades**2 @ options) - expected**2, 1e-6)
    misfit = float(np.mean((scores - expected) ** 2 / variance))
    level = posterior @ grid.points
    spread = float(np.std(scores) * np.std(level))
    correlation = float(np.mean((scores - scores.mean()) * (level - level.mean())) / spread) if spread > 0 else 0.0
    top = _grades(one.item) - 1
    curve = tuple(
        (float(level[group].mean()), float(expected[group].mean()) / top, float(scores[group].mean()) / top)
        for group in np.array_split(np.argsort(level, kind="stable"), _GROUPS)
    )
    return ItemFit(one.item, one.answers, one.parameters, one.reason, misfit, correlation, curve)


def root_mean_square(found: Sequence[SkillFit]) -> float | None:
    """Return the root mean square difference of observed and expected shares over all groups; None without groups."""
    gaps = [(observed - share) ** 2 for of in found for one in of.items for _, share, observed in one.curve]
    return sqrt(sum(gaps) / len(gaps)) if gaps else None
