"""A plan in numbers, from which the path and every question about it are answered."""

from typing import NamedTuple

import numpy as np

from services.recommender.model import Inputs
from services.recommender.ranking.account import Account
from services.recommender.ranking.gaps import Worth
from services.recommender.ranking.index import View
from services.recommender.ranking.ledger import Pick
from services.recommender.ranking.offers import Offer, SkillKey
from services.recommender.ranking.pricing import Bench
from services.recommender.ranking.problem import NUMBER, Problem
from services.recommender.ranking.seeker import Field
from services.recommender.ranking.segments import Longs
from shared.paths import Note
from shared.skills import Course


class Seeds(NamedTuple):
    """What comes first whatever it closes, and what was wanted and cannot."""

    picks: list[Pick]
    notes: list[Note]


class Planned(NamedTuple):
    """A plan in numbers. `before`, `seeded`, `final`: the standing at the start, after the seeds, at the end.

    `kept`: the path before stayed for being as good; `finishing`: because it is being studied. `plain`: without what is
    preferred or put off.
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
    finishing: bool = False
    plain: bool = False


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
