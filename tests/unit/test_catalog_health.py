"""Faults of a catalog as a whole are reported, and nothing else."""

import itertools
import random
from typing import Any

import pytest

from services.catalog.health import CatalogHealth, health
from services.catalog.matches import Match
from shared.domain import Course, Framework, LocalizedText, Prerequisite, courses_named
from tests.support.builders import FRAMEWORK, after, at, course, framework


def of(*courses: Course, frameworks: list[Framework] | None = None, **more: Any) -> CatalogHealth:
    return health(list(courses), frameworks or [], more.get("matches", {}), 0.5, 0)


def any_of(*conditions: Prerequisite) -> Prerequisite:
    return Prerequisite(any=list(conditions))


def test_a_catalog_without_faults_reports_none() -> None:
    found = of(
        course("a", ("reading", 0, 2)),
        course("b", ("reading", 2, 4), requires=[after("a")]),
        frameworks=[framework({"reading": 4})],
    )
    assert {name: count for name, count in found.counts.items() if count} == {}
    assert found.courses == 2


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_a_cycle_is_reported_with_its_courses(size: int) -> None:
    names = [f"c{n:02}" for n in range(size)]
    courses = [course(name, ("reading", 0, 1), requires=[after(names[(n + 1) % size])]) for n, name in enumerate(names)]
    outside = course("z", ("reading", 0, 1), requires=[after("c00")])
    assert of(*courses, outside).cycles == [names]


def test_two_cycles_are_reported_separately() -> None:
    pairs = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")]
    assert of(*(course(one, requires=[after(other)]) for one, other in pairs)).cycles == [["a", "b"], ["c", "d"]]


def test_courses_with_another_way_in_are_no_cycle() -> None:
    free = course("free")
    one, other = course("a", requires=[any_of(after("b"), after("free"))]), course("b", requires=[after("a")])
    assert of(one, other, free).cycles == []


def test_a_long_chain_is_followed_in_any_order() -> None:
    chain = [course(f"c{n}", requires=[after(f"c{n - 1}")] if n else []) for n in range(20_000)]
    assert of(*chain[::-1]).cycles == []
    ring = [course(f"c{n}", requires=[after(f"c{n - 1 if n else 19_999}")]) for n in range(20_000)]
    assert len(of(*ring).cycles[0]) == 20_000


def test_a_missing_prerequisite_is_reported() -> None:
    found = of(course("a", requires=[any_of(after("gone"), after("lost"))]), course("b", requires=[after("a")]))
    assert [(one.course, one.missing) for one in found.dangling] == [("a", ["gone", "lost"])]
    assert found.cycles == []


@pytest.mark.parametrize(
    ("courses", "cause", "taught", "reached"),
    [
        ([], "no_course", 0, 0),
        ([course("a", ("reading", 0, 2))], "no_course", 2, 2),
        ([course("a", ("reading", 0, 1)), course("b", ("reading", 2, 4))], "no_way", 4, 1),
        ([course("a", ("reading", 0, 4), requires=[after("gone")])], "no_way", 4, 0),
        ([course("a", ("reading", 0, 4), requires=[at("writing", 1)])], "no_way", 4, 0),
    ],
)
def test_an_unreachable_level_is_reported_with_its_cause(
    courses: list[Course], cause: str, taught: float, reached: float
) -> None:
    (row,) = of(*courses, frameworks=[framework({"reading": 3})]).unreachable
    assert (row.framework, row.skill, row.required) == (FRAMEWORK, "reading", 3)
    assert (row.cause, row.taught, row.reached) == (cause, taught, reached)


def test_courses_with_the_same_title_and_provider_or_address_are_twins() -> None:
    def named(identifier: str, title: str, url: str | None = None) -> Course:
        return Course(identifier, LocalizedText(en=title), LocalizedText(en="Provider"), 1.0, ["en"], url=url)

    found = of(
        named("a", "Data  Analytics!"),
        named("b", "data analytics"),
        named("c", "Law", "https://example.org/x/"),
        named("d", "Digital law", "https://example.org/x"),
        named("e", "Something else", "https://other.example/x"),
    )
    assert found.twins == [["a", "b"], ["c", "d"]]
    assert found.hosts == {"example.org": 2, "other.example": 1}
    assert found.without_skills == 5


def test_matches_below_the_threshold_are_reported_weakest_first() -> None:
    rows = [
        Match(FRAMEWORK, f"s{n}", 0, 1, confidence, entry_confidence=entry)
        for n, (confidence, entry) in enumerate([(0.9, 1.0), (0.9, 0.5), (0.3, 1.0), (0.4, 0.6)])
    ]
    decided = Match(FRAMEWORK, "s9", 0, 1, 0.2, status="rejected")
    found = of(course("a"), matches={"a": [*rows, decided]})
    assert [(one.skill, one.confidence) for one in found.weak_matches] == [("s2", 0.3), ("s3", 0.4)]
    assert (found.counts["matches_proposed"], found.counts["matches_rejected"]) == (4, 1)


@pytest.mark.parametrize("seed", range(40))
def test_the_figures_of_a_random_catalog_are_those_of_a_plain_computation(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - a sample
    names = [f"c{n}" for n in range(draw.randint(1, 12))]
    skills = ["reading", "writing", "sums"]

    def condition(depth: int = 0) -> Prerequisite:
        kind = draw.random()
        if kind < 0.5 or depth > 1:
            return after(draw.choice([*names, "gone"]))
        if kind < 0.7:
            return at(draw.choice(skills), draw.randint(1, 4))
        inner = [condition(depth + 1) for _ in range(2)]
        return Prerequisite(any=inner) if kind < 0.9 else Prerequisite(all=inner)

    def taught() -> tuple[str, float, float]:
        low = draw.randint(0, 3)
        return draw.choice(skills), low, draw.randint(low + 1, 5)

    courses = [
        course(
            name,
            *([taught()] if draw.random() < 0.8 else []),
            requires=[condition() for _ in range(draw.choice([0, 0, 1, 2]))],
        )
        for name in names
    ]
    required = framework({"reading": 2, "writing": 4, "sums": 5})
    found = of(*courses, frameworks=[required])
    opened, levels = _learnt(courses)
    assert {(row.skill, row.reached) for row in found.unreachable} == {
        (row.skill, levels.get(row.skill, 0.0))
        for row in required.requirements
        if levels.get(row.skill, 0.0) < row.level
    }
    assert {row.course for row in found.dangling} == {
        one.id for one in courses if "gone" in courses_named(one.requires)
    }
    closed = {one.id: set(courses_named(one.requires)) for one in courses if one.id not in opened}
    steps = {name: {other for other in others if other in closed} for name, others in closed.items()}
    reach = {name: set(others) for name, others in steps.items()}
    for middle, one in itertools.product(steps, steps):
        reach[one] |= reach[middle] if middle in reach[one] else set()
    rings = {frozenset(other for other in reach[name] if name in reach[other]) for name in steps if name in reach[name]}
    assert sorted(map(min, rings)) == sorted(cycle[0] for cycle in found.cycles)
    assert all(
        after_it in steps[one] for ring in found.cycles for one, after_it in zip(ring, ring[1:] + ring[:1], strict=True)
    )


def _learnt(courses: list[Course]) -> tuple[set[str], dict[str, float]]:
    """Return the courses that a learner without skills can take, and the levels they lead to, by trying all again."""
    opened: set[str] = set()
    levels: dict[str, float] = {}

    def holds(one: Prerequisite) -> bool:
        if isinstance(one.course, str):
            return one.course in opened
        if isinstance(one.any, list):
            return any(map(holds, one.any))
        if isinstance(one.all, list):
            return all(map(holds, one.all))
        return levels.get(str(one.skill), 0.0) >= float(one.level or 0)

    for _ in range(len(courses) + 1):
        for one in courses:
            rows = [row for row in one.teaches if levels.get(row.skill, 0.0) >= row.from_level]
            if len(rows) == len(one.teaches) and all(map(holds, one.requires)):
                opened.add(one.id)
                levels |= {row.skill: max(row.to_level, levels.get(row.skill, 0.0)) for row in rows}
    return opened, levels
