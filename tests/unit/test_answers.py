from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sklearn.metrics.pairwise import cosine_similarity

from services.recommender.planner.pipeline import (
    path_diff,
    recommend,
    refused,
    similar_courses,
    why_not,
)
from services.recommender.rules import Rule
from shared.errors import NotFound
from shared.paths import LearningPath
from tests.support.builders import after, catalog, course, framework, inputs, view_of
from tests.support.words import why_not_sentences

COURSES = [
    course("a-long", ("a", 0, 2), hours=8),
    course("a-short", ("a", 0, 2), hours=4),
    course("b", ("b", 0, 2), hours=6),
    course("c", ("c", 0, 2), hours=6),
    course("english", ("a", 0, 2), hours=1, languages=["en"]),
    course("closed", ("b", 0, 3), hours=1, requires=[after("nowhere")]),
    course("big", ("b", 0, 3), hours=30),
]
PLAN = inputs(
    framework({"a": 2, "b": 3}, others=["c"]),
    {"a": 0, "b": 0},
    languages=["th"],
    budget_hours=12,
    completed=["c"],
    rules=[Rule("course", ["a-ruled"], 0)],
)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("a-short", "in_path"),
        ("c", "completed"),
        ("english", "language"),
        ("closed", "unreachable"),
        ("big", "does_not_fit"),
        ("a-long", "lower_value"),
    ],
)
def test_every_course_outside_the_path_has_a_reason(name: str, cause: str) -> None:
    view = view_of(COURSES)
    path = recommend(PLAN, view)
    found = why_not(PLAN, view, path, name)
    assert found.cause == cause
    assert why_not_sentences(found).th
    if cause == "lower_value":
        assert (found.step, found.gain, found.hours, found.score) == (1, 2_000_000, 8, 250_000)
        assert found.taken_score == path.steps[0].score
        assert "takes 8 hours with its prerequisites and is worth no more per hour" in why_not_sentences(found).en
        alone = why_not_sentences(replace(found, taken_score=0.0))
        assert "adds very little for them" in alone.en
        assert "ช่วยได้น้อยมาก" in alone.th
    if cause == "does_not_fit":
        assert found.hours == 18


@pytest.mark.parametrize("pinned", [["no-gap"], []])
def test_no_course_is_reported_as_worth_less_than_a_course_without_value(pinned: list[str]) -> None:
    """What is pinned comes first whatever it closes, and a step may be worth less than can be counted."""
    yardstick = framework({"a": 2, "b": 3, "tiny": 2}, weights={"tiny": 0.000001}, others=["c"])
    levels = {skill: replace(PLAN.levels["a"]) for skill in ("a", "b", "tiny")}
    plan = replace(PLAN, framework=yardstick, levels=levels, pinned=pinned, budget_hours=None)
    opening = [course("tiny", ("tiny", 0, 2), hours=3), course("goal", ("b", 0, 3), hours=1, requires=[after("tiny")])]
    view = view_of([*COURSES, *opening, course("no-gap", ("c", 0, 2), hours=1)])
    path = recommend(plan, view)
    assert path.steps[0].score == 0
    compared = 0
    for one in COURSES:
        answer = why_not(plan, view, path, one.id)
        if answer.score is not None and answer.taken_score is not None:
            assert answer.cause == ("lower_value" if answer.score <= answer.taken_score else "worse_overall")
            compared += 1
    assert compared


def test_an_unknown_course_is_not_found() -> None:
    view = view_of(COURSES)
    path = recommend(PLAN, view)
    with pytest.raises(NotFound):
        why_not(PLAN, view, path, "nowhere")
    with pytest.raises(NotFound):
        similar_courses("nowhere", view)


def test_similar_courses_agree_with_an_independent_cosine() -> None:
    courses = catalog(80, 6, seed=5)
    skills = [f"s{n:02}" for n in range(6)]
    vectors = np.zeros((len(courses), 6))
    for number, one in enumerate(courses):
        low: dict[str, float] = {}
        high: dict[str, float] = {}
        for row in one.teaches:
            low[row.skill] = min(row.from_level, low.get(row.skill, 9))
            high[row.skill] = max(row.to_level, high.get(row.skill, 0))
        for skill, top in high.items():
            vectors[number, skills.index(skill)] = top - low[skill]
    for wanted in (0, 7, 41):
        found = similar_courses(courses[wanted].id, view_of(courses), 10)
        outside = np.delete(cosine_similarity(vectors[[wanted]], vectors)[0], wanted)
        assert [one.similarity for one in found] == pytest.approx(sorted(outside, reverse=True)[:10], abs=1e-6)


def test_changes_list_added_removed_and_moved_courses() -> None:
    view = view_of(COURSES)
    one = recommend(PLAN, view)
    two = recommend(inputs(framework({"a": 2}, others=["b", "c"]), {"a": 0}, languages=["en"]), view)
    found = path_diff(one, two)
    assert [card.id for card in found.added] == ["english"]
    assert {card.id for card in found.removed} == {"a-short", "b"}
    assert (found.moved, found.hours) == ([], -9)


def test_courses_of_the_same_path_are_not_listed_as_similar() -> None:
    courses = [
        course("one", ("a", 0, 2)),
        course("two", ("a", 0, 2)),
        course("three", ("a", 1, 2)),
        course("b", ("b", 0, 2)),
    ]
    assert [other.course.id for other in similar_courses("one", view_of(courses))] == ["three", "two"]
    assert [other.course.id for other in similar_courses("one", view_of(courses), without={"two"})] == ["three"]


def ordered(*names: str) -> LearningPath:
    path = recommend(PLAN, view_of(COURSES))
    cards = [replace(path.steps[0].course, id=name) for name in names]
    return replace(path, steps=[replace(path.steps[0], course=card) for card in cards])


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        ("abcd", "bcda", "a"),
        ("abcd", "dabc", "d"),
        ("abcd", "abcd", ""),
        ("abcd", "xabcd", ""),
        ("abcd", "acbd", "b"),
        ("abcd", "dcba", "cba"),
        ("ab", "cd", ""),
        ("abxcd", "bcad", "a"),
    ],
)
def test_moved_lists_exactly_the_moved_courses(before: str, after: str, moved: str) -> None:
    assert "".join(path_diff(ordered(*before), ordered(*after)).moved) == moved


@given(st.permutations("abcdefg"), st.permutations("abcdefgh"))
def test_moved_is_a_smallest_set_of_courses(before: list[str], after: list[str]) -> None:
    moved = path_diff(ordered(*before), ordered(*after)).moved
    both = [name for name in after if name in before]
    for stays in combinations(both, len(both) - len(moved) + 1):
        assert [name for name in before if name in stays] != list(stays)
    left = [name for name in both if name not in moved]
    assert [name for name in before if name in left] == left


def test_a_rejected_path_answers_no_path_for_every_course() -> None:
    view = view_of(COURSES)
    path = refused(PLAN, view.catalog_revision, "the cause")
    causes = {name: why_not(PLAN, view, path, name).cause for name in ("a-short", "big", "c", "english")}
    assert causes == {"a-short": "no_path", "big": "no_path", "c": "completed", "english": "language"}
