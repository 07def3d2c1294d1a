"""`python -m tests.by_hand`: the path that docs/ranking.md works out by hand, its tables written into that page anew.

What can be had from a table of the normal distribution and a pocket calculator is worked out here from the words of
the page; what a plan finds is told by the planner. tests/unit/test_by_hand.py compares the two, and both with the page.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import NormalDist

import msgspec

from services.recommender.model import MICRO, Estimate, Inputs
from services.recommender.ranking import recommend, reference
from services.recommender.ranking.evidence import believed
from services.recommender.ranking.gaps import Worth
from services.recommender.ranking.search import EXPONENTS as _EXPONENTS
from shared.paths import LearningPath
from shared.skills import Course
from tests.builders import MOMENT, at, course, framework, inputs, view_of

PAGE = Path(__file__).parents[1] / "docs" / "ranking.md"
EXPONENTS: list[float] = _EXPONENTS.tolist()
_NORMAL = NormalDist()

REQUIRED = {"data": 3, "security": 3, "writing": 1}
WEIGHTS = {"data": 2.0, "security": 0.5, "writing": 0.5}
MEASURED = {"data": 1.0, "security": 1.0, "writing": 0.0}
SD = 0.5

COURSES = [
    course("habits", ("security", 0.0, 2.0), hours=3.0),
    course("logic", ("logic", 0.0, 1.0), hours=2.0),
    course("analysis", ("data", 1.0, 3.0), hours=8.0, requires=[at("logic", 1.0)]),
    course("sheets", ("data", 0.0, 2.0), hours=4.0),
    course("safety", ("security", 2.0, 3.0), hours=3.0),
    course("guard", ("security", 0.0, 3.0), hours=5.0),
    course("letters", ("writing", 0.0, 1.0), hours=6.0),
]
DONE = "habits"
BUDGET = 16.0


def officer() -> Inputs:
    """Return the officer of the page."""
    plan = inputs(
        framework(REQUIRED, weights=WEIGHTS, others=["logic"]), budget_hours=BUDGET, completed_at={DONE: MOMENT}
    )
    before = MOMENT - timedelta(days=30)
    return msgspec.structs.replace(
        plan, levels={skill: Estimate(level, SD, before) for skill, level in MEASURED.items()}
    )


def path() -> LearningPath:
    """Return what the planner finds."""
    return recommend(officer(), view_of(COURSES))


def level(skill: str) -> float:
    """Return the level that counts: the one measured, or what the completed course leads to where that is higher."""
    return max([MEASURED[skill], *(row.to_level for row in _named(DONE).teaches if row.skill == skill)])


def whole(skill: str, reached: float) -> int:
    """Return what holding a level is worth beyond what was measured: weight x psi, by the normal's own table."""
    z = (reached - MEASURED[skill]) / SD
    expected = SD * _NORMAL.pdf(z) + (reached - MEASURED[skill]) * _NORMAL.cdf(z)
    return round(MICRO * WEIGHTS[skill] * expected)


def worth(skill: str, reached: float) -> int:
    """Return what reaching a level is worth, in micro-levels: less what the completed course gained of it."""
    return whole(skill, reached) - (whole(skill, level(skill)) if level(skill) > MEASURED[skill] else 0)


def _named(name: str) -> Course:
    return next(one for one in COURSES if one.id == name)


def _beliefs() -> Iterable[Sequence[str]]:
    yield "skill", "required", "weight", "measured, μ ± σ", "level that counts"
    for skill, required in REQUIRED.items():
        yield skill, f"{required}", f"{WEIGHTS[skill]:g}", f"{MEASURED[skill]:g} ± {SD}", f"{level(skill):g}"


def _worths() -> Iterable[Sequence[str]]:
    yield "reaching", "z", "φ(z)", "Φ(z)", "ψ", "w·ψ, micro-levels", "worth now"
    for skill, reached in (("data", 2), ("data", 3), ("security", 2), ("security", 3), ("writing", 1)):
        mean = MEASURED[skill]
        z = (reached - mean) / SD
        density, below = _NORMAL.pdf(z), _NORMAL.cdf(z)
        expected = SD * density + (reached - mean) * below
        row = (f"{z:.6f}", f"{density:.8f}", f"{below:.8f}", f"{expected:.8f}", f"{whole(skill, reached):,}")
        yield f"{skill} {reached}", *row, f"{worth(skill, reached):,}"


def _courses() -> Iterable[Sequence[str]]:
    yield "course", "teaches", "hours", "also requires", "price"
    for one in COURSES:
        teaches = ", ".join(f"{row.skill} {row.from_level:g} → {row.to_level:g}" for row in one.teaches)
        requires = ", ".join(f"{need.skill} {need.level:g}" for need in one.requires)
        hours = " + ".join(f"{_named(member).hours:g}" for member in BUNDLES.get(one.id, [one.id]))
        yield one.id, teaches, f"{one.hours:g}", requires, "done" if one.id == DONE else hours


BUNDLES = {
    "sheets": ["sheets"],
    "analysis": ["logic", "analysis"],
    "safety": ["safety"],
    "guard": ["guard"],
    "letters": ["letters"],
}
"""Course -> its bundle at the start; only the door of `analysis` is shut."""


def gain(name: str) -> int:
    """Return what a course closes at the start."""
    return sum(worth(row.skill, row.to_level) for row in _named(name).teaches)


def price(name: str) -> float:
    """Return the hours of a course with all that opens its door."""
    return sum(_named(member).hours for member in BUNDLES[name])


def bid(name: str, power: float) -> int:
    """Return what the bundle of a course closes per hour, the hours to a power, which is kept to six places."""
    return int(gain(name) / round(price(name) ** power, 6))


def _bids() -> Iterable[Sequence[str]]:
    yield "bundle", "price h", "gain", *("gain / h" if power == 1 else f"gain / h^{power:g}" for power in EXPONENTS)
    for name, members in BUNDLES.items():
        scores = (f"{bid(name, power):,}" for power in EXPONENTS)
        yield " + ".join(members), f"{price(name):g}", f"{gain(name):,}", *scores


def plan() -> reference.Plan:
    """Return the plan of the readable rule."""
    courses = {one.id: one for one in COURSES}
    wants, doors = believed(officer(), courses.get)
    return reference.Plan(officer(), courses, Worth(wants), doors, plain=False)


def _routes() -> Iterable[Sequence[str]]:
    yield "exponent", "taken in turn", "without what loses nothing", "hours", "closes"
    found = plan()
    for power in EXPONENTS:
        taken = reference.greedy(found.problem, found.seeded.copy(), found.goals, power)
        route = reference.route_of(found.problem, found.seeded, taken)
        hours = sum(way.hours for way in route.courses) / MICRO
        names = [", ".join(way.id for way in ways) for ways in (taken, route.courses)]
        yield f"{power:g}", *names, f"{hours:g}", f"{route.worth:,}"


def _steps() -> Iterable[Sequence[str]]:
    yield "step", "score", "runners-up", "similarity", "closes", "contribution", "hours so far"
    found = path()
    for step in found.steps:
        others = ", ".join(f"{other.course.id} {other.score:,.0f}" for other in step.alternatives)
        closes = ", ".join(f"{row.skill} {row.from_level:g} → {row.to_level:g}" for row in step.closes)
        gained = sum(row.contribution for row in step.closes)
        name, similarity = f"{step.position}. {step.course.id}", f"{step.similarity:.6f}"
        yield name, f"{step.score:,.0f}", others, similarity, closes, f"{gained:,}", f"{step.cumulative_hours:g}"
    yield "all", "", "", "", "", f"{found.coverage.gained:,}", f"{found.hours:g}"


def _coverage() -> Iterable[Sequence[str]]:
    yield "gap G", "gained", "requirement R", "before: 1 − G / R", "after: 1 − (G − gained) / R", "expected", "short by"
    held = path().coverage
    required = sum(round(MICRO * WEIGHTS[skill] * level) for skill, level in REQUIRED.items())
    numbers = (f"{held.gap:,}", f"{held.gained:,}", f"{required:,}")
    after = f"{held.after:.6f}", f"{held.expected:,}", f"{path().short_hours or 0:g} h"
    yield *numbers, f"{held.before:.6f}", *after


TABLES = {
    "beliefs": _beliefs,
    "worth": _worths,
    "courses": _courses,
    "bids": _bids,
    "routes": _routes,
    "steps": _steps,
    "coverage": _coverage,
}


def tables() -> dict[str, str]:
    """Return the tables of the page by name, as Markdown."""
    found = {}
    for name, make in TABLES.items():
        head, *rows = (f"| {' | '.join(row)} |" for row in make())
        found[name] = "\n".join([head, "|" + " --- |" * (head.count(" | ") + 1), *rows])
    return found


def written(page: str) -> str:
    """Return the page with its tables made anew."""
    for name, table in tables().items():
        begin, end = f"<!-- by hand: {name} -->", "<!-- /by hand -->"
        page = re.sub(f"{begin}.*?{end}", f"{begin}\n{table}\n{end}", page, count=1, flags=re.DOTALL)
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
