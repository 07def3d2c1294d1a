"""What the validator takes a step to depend on: what cannot be entered when that step is left out."""

import random

import pytest

from services.recommender.plan_validator.expected_gain import dependents
from services.recommender.plan_validator.officer_state import EntryState
from shared.domain import Course
from tests.support.builders import FRAMEWORK, after, at, course
from tests.support.random_plans import entangled


class Learner(EntryState):
    """An officer without wishes; `entry_checks` counts the checks of entry."""

    entry_checks = 0

    def copy(self) -> "Learner":
        return Learner(self.framework, dict(self.levels), set(self.done))

    def enters(self, course: Course) -> bool:
        Learner.entry_checks += 1
        return super().enters(course)


def studied_without_each(officer: Learner, courses: list[Course], begun: set[str]) -> list[set[int]]:
    """Return the same by the definition: leave a course out, study the rest in order, see what cannot be entered."""
    leans: list[set[int]] = [set() for _ in courses]
    gated = {n for n, one in enumerate(courses) if one.id not in begun and not officer.enters(one)}
    for gone in range(len(courses)):
        learner = officer.copy()
        for place, one in enumerate(courses):
            if place < gone or (place > gone and (place not in gated or learner.enters(one))):
                learner.take(one)
            elif place > gone:
                leans[place].add(gone)
    return leans


def can_be_studied(courses: list[Course], officer: Learner, chance: random.Random) -> list[Course]:
    """Return courses in an order in which each can be entered, drawn by chance; some that cannot are left out."""
    learner, left, path = officer.copy(), list(courses), list[Course]()
    while open_now := [one for one in left if learner.enters(one)]:
        one = chance.choice(open_now)
        left.remove(one)
        learner.take(one)
        path.append(one)
    return path


@pytest.mark.parametrize("seed", range(150))
def test_a_step_depends_on_what_it_cannot_be_entered_without(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - test data
    courses = entangled(chance.choice([6, 25, 60]), chance.choice([4, 6, 8]), seed)
    levels = {(FRAMEWORK, f"s{n:02}"): chance.choice([0.0, 0.5, 1.5]) for n in range(8)}
    officer = Learner(FRAMEWORK, levels, {f"c{chance.randrange(60):05}"})
    path = can_be_studied(courses, officer, chance)
    begun = {one.id for one in path[: chance.randrange(3)]}
    assert dependents(officer, path, begun) == studied_without_each(officer, path, begun)


def test_a_wrong_order_and_a_repeated_course_are_validated_too() -> None:
    low, high = course("low", ("a", 0, 1)), course("high", ("a", 1, 2), requires=[after("low")])
    for path in ([high, low], [low, high, high], [low, low, high]):
        officer = Learner(FRAMEWORK, {}, set())
        assert dependents(officer, path, set()) == studied_without_each(officer, path, set())


def test_independent_steps_are_not_checked_again() -> None:
    pairs = 100
    path = [
        one
        for n in range(pairs)
        for one in (
            course(f"low{n}", (f"s{n}", 0, 1)),
            course(f"high{n}", (f"s{n}", 1, 2), requires=[at(f"s{n}", 1), after(f"low{n}")]),
        )
    ]
    Learner.entry_checks = 0
    leans = dependents(Learner(FRAMEWORK, {}, set()), path, set())
    assert [sorted(places) for places in leans] == [[] if n % 2 == 0 else [n - 1] for n in range(2 * pairs)]
    assert Learner.entry_checks <= 2 * len(path)  # once at the beginning, once where the course before it is left out
