"""The path that docs/ranking.md works out by hand is the planner's, and its tables are those of today."""

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec
import pytest

from services.recommender.inputs import MICRO
from services.recommender.planner.pipeline import recommend
from services.recommender.planner.value import Worth, believed
from services.recommender.reference import rule as reference
from shared.paths import LearningPath
from tests import by_hand
from tests.builders import view_of

Found = Callable[[], Iterable[Sequence[str]]]


def _path() -> LearningPath:
    return recommend(by_hand.officer(), view_of(by_hand.COURSES))


def _plan() -> reference.Plan:
    """Return the plan of the readable rule."""
    courses = {one.id: one for one in by_hand.COURSES}
    wants, doors = believed(by_hand.officer(), courses.get)
    return reference.Plan(by_hand.officer(), courses, Worth(wants), doors, plain=False)


def _routes() -> Iterable[Sequence[str]]:
    yield "exponent", "taken in turn", "without what loses nothing", "hours", "closes"
    found = _plan()
    for power in by_hand.EXPONENTS:
        taken = reference.greedy(found.problem, found.seeded.copy(), found.goals, power)
        route = reference.route_of(found.problem, found.seeded, taken)
        hours = sum(way.hours for way in route.courses) / MICRO
        names = [", ".join(way.id for way in ways) for ways in (taken, route.courses)]
        yield f"{power:g}", *names, f"{hours:g}", f"{route.worth:,}"


def _steps() -> Iterable[Sequence[str]]:
    yield "step", "score", "runners-up", "similarity", "closes", "contribution", "hours so far"
    found = _path()
    for step in found.steps:
        others = ", ".join(f"{other.course.id} {other.score:,.0f}" for other in step.alternatives)
        closes = ", ".join(f"{row.skill} {row.from_level:g} → {row.to_level:g}" for row in step.closes)
        gained = sum(row.contribution for row in step.closes)
        name, similarity = f"{step.position}. {step.course.id}", f"{step.similarity:.6f}"
        yield name, f"{step.score:,.0f}", others, similarity, closes, f"{gained:,}", f"{step.cumulative_hours:g}"
    yield "all", "", "", "", "", f"{found.coverage.gained:,}", f"{found.hours:g}"


def _coverage() -> Iterable[Sequence[str]]:
    yield "gap G", "gained", "requirement R", "before: 1 − G / R", "after: 1 − (G − gained) / R", "expected", "short by"
    held = _path().coverage
    required = sum(round(MICRO * by_hand.WEIGHTS[skill] * level) for skill, level in by_hand.REQUIRED.items())
    numbers = (f"{held.gap:,}", f"{held.gained:,}", f"{required:,}")
    after = f"{held.after:.6f}", f"{held.expected:,}", f"{_path().short_hours or 0:g} h"
    yield *numbers, f"{held.before:.6f}", *after


def test_the_tables_on_the_page_are_those_of_today() -> None:
    page = by_hand.PAGE.read_text(encoding="utf-8")
    assert page == by_hand.written(page), "python -m tests.by_hand writes them anew"
    assert page.count("<!-- by hand: ") == len(by_hand.TABLES)
    section = page.split("\n## One path by hand\n")[1].split("\n## ")[0]
    words = re.sub(r"<!-- by hand.*?<!-- /by hand -->", "", section, flags=re.DOTALL)
    named = re.findall(r"\d+(?:,\d{3})+", words)
    assert named
    assert all(f"| {number} |" in by_hand.tables()["worth"] for number in named)


def test_beliefs_and_worth_are_those_of_the_planner() -> None:
    wants, _ = believed(by_hand.officer(), {one.id: one for one in by_hand.COURSES}.get)
    assert {skill: (by_hand.MEASURED[skill], by_hand.SD, by_hand.level(skill)) for skill in wants} == {
        skill: (it.measured, it.sd, it.level) for skill, it in wants.items()
    }
    found = Worth(wants)
    assert found.gaps == {skill: by_hand.worth(skill, level) for skill, level in by_hand.REQUIRED.items()}
    assert found.of("data", 2) == by_hand.worth("data", 2)


def test_prices_and_bids_are_those_of_the_planner() -> None:
    plan = _plan()
    prices = plan.problem.prices(plan.seeded)
    ways = plan.problem.courses
    assert set(ways) == {one.id for one in by_hand.COURSES} - {by_hand.DONE}
    for name, members in by_hand.BUNDLES.items():
        assert prices.of(ways[name]) == by_hand.price(name) * MICRO
        assert [way.id for way in plan.problem.bundle(ways[name], prices)] == members
    for power in by_hand.EXPONENTS:
        bids = {bid.goal.id: bid.score for bid in reference.bids(plan.problem, plan.seeded, prices, plan.goals, power)}
        assert bids == {name: by_hand.bid(name, power) for name in by_hand.BUNDLES}


def test_the_path_is_the_same_by_the_planner_and_by_the_readable_rule() -> None:
    path = _path()
    same = reference.recommend(by_hand.officer(), by_hand.COURSES, path.versions.catalogue)
    assert msgspec.json.encode(same) == msgspec.json.encode(path)
    assert sum(row.contribution for step in path.steps for row in step.closes) == path.coverage.gained


@pytest.mark.parametrize(("table", "rows"), [("routes", _routes), ("steps", _steps), ("coverage", _coverage)])
def test_what_the_planner_finds_is_what_is_worked_out_by_hand(table: str, rows: Found) -> None:
    assert [tuple(row) for row in rows()] == [tuple(row) for row in by_hand.TABLES[table]()]
