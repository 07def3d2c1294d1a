"""A plan in numbers, from which the path and every question about it are answered."""

from typing import NamedTuple

import numpy as np

from services.recommender.model import Inputs
from services.recommender.ranking.account import Account
from services.recommender.ranking.gaps import Worth
from services.recommender.ranking.index import View
from services.recommender.ranking.least import Stock
from services.recommender.ranking.ledger import Pick
from services.recommender.ranking.offers import Offer, SkillKey
from services.recommender.ranking.pricing import Bench
from services.recommender.ranking.problem import NUMBER, Problem
from services.recommender.ranking.seeker import Field
from services.recommender.ranking.segments import Longs
from shared.paths import Note
from shared.skills import Course

MOST_VISITS = 3_000_000
"""Courses visited in the search of one plan: some 0.1 to 0.2 seconds. A search that needs more ends with the best path
found so far, and says so. A plan with preferences, which is made with and without them, has half for each."""

TELLING_VISITS = 1_000_000
"""And so many more for the order and the runners-up, and again for the hours that are missing."""


class Seeds(NamedTuple):
    """What comes first whatever it closes, and what was wanted and cannot."""

    picks: list[Pick]
    notes: list[Note]


class Planned(NamedTuple):
    """A plan in numbers. `before`, `seeded`, `final`: the standing at the start, after the seeds, at the end.

    `stock`: what the officer may use and can reach. `kept`: the path before stayed for being as good; `finishing`:
    because it is being studied. `plain`: without what is preferred or put off.
    `limited`: the search, or the telling of the path, ended at its limit of work.
    """

    inputs: Inputs
    worth: Worth
    standing: dict[SkillKey, float]
    field: Field
    problem: Problem
    seeds: Seeds
    before: Longs
    seeded: Longs
    final: Longs
    goals: Longs
    bench: Bench
    account: Account
    kept: bool
    stock: Stock
    finishing: bool = False
    plain: bool = False
    limited: bool = False


def course_at(found: Planned, view: View, way: int) -> Course:
    """Return the course of a way."""
    return course_of(found.field, found.problem, view, way)


def offer_at(found: Planned, view: View, way: int) -> Offer:
    """Return the course of a way as ranking reads it."""
    if (offer := view.offer(found.field.course_id(int(found.problem.ways[way, NUMBER])))) is None:
        raise LookupError(f"way {way} is no course of this view")
    return offer


def course_of(field: Field, problem: Problem, view: View, way: int) -> Course:
    """Return the course of a way."""
    course = view.course(field.course_id(int(problem.ways[way, NUMBER])))
    if course is None:
        raise LookupError(f"way {way} is no course of this view")
    return course


def way_of(field: Field, problem: Problem, course_id: str) -> int:
    """Return the way of a course; -1 where the problem has none."""
    for number in field.numbers([course_id]):
        for way in np.flatnonzero(problem.ways[:, NUMBER] == number).tolist():
            return int(way)
    return -1
