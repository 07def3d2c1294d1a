"""Random catalogs and officers for property tests, and the comparison of the planner with the reference planner."""

import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from services.recommender.inputs import Estimate, Inputs
from services.recommender.planner.index.catalog import View
from services.recommender.planner.pipeline import recommend
from services.recommender.recompute import first_difference
from services.recommender.reference import rule as reference
from services.recommender.rules import Rule
from shared.domain import Completions, Course, MatchedRow, Prerequisite, Rating
from tests.support.builders import MOMENT, after, at, catalog, course, framework, inputs

SKILL_FRAMEWORK = framework(
    {f"s{n:02}": 2 + n % 3 for n in range(6)}, weights={"s01": 2.5, "s02": 0.3, "s05": 0}, others=["s06", "s07"]
)
IDS = [f"c{n:05}" for n in range(25)]


def entangled(count: int, skills: int, seed: int) -> list[Course]:
    """Return generated courses with nested conditions, rows of another framework, completions and ratings."""
    draw = random.Random(seed)  # noqa: S311 - test data
    # any; many ties; many ways at about the same price; as they are read from minutes and months
    hours = draw.choice([None, [1, 2, 4], [3, 3.6, 3.75, 3.9, 4], [0.333333, 1.000001, 3.141593, 6.5]])

    def condition(depth: int) -> Prerequisite:
        kind = draw.randrange(4 if depth else 2)
        if kind == 0:
            return after(f"c{draw.randrange(count + 2):05}")
        if kind == 1:
            other = {"of": "other"} if draw.random() < 0.2 else {}
            return at(f"s{draw.randrange(skills):02}", draw.choice([0.5, 1, 2, 3.2, 1.234567]), **other)
        parts = [condition(depth - 1) for _ in range(draw.randint(1, 3))]
        return Prerequisite(any=parts) if kind == 2 else Prerequisite(all=parts)

    courses = []
    doubt = random.Random(f"matched {seed}")  # noqa: S311 - test data
    share = doubt.choice([0, 0, 0.3, 1])
    for one in catalog(count, skills, seed):
        change: dict[str, Any] = {"modality": draw.choice(["online", "classroom", "blended"])}
        if draw.random() < 0.3:
            change["requires"] = [*one.requires, condition(2)]
        if draw.random() < 0.1:
            change["teaches"] = [*one.teaches, *course("x", ("s00", 0, draw.choice([1, 4])), of="other").teaches]
        if hours:
            change["hours"] = draw.choice(hours)
        if draw.random() < 0.3:
            change["completions"] = Completions(100, draw.choice([0, 30, 100]))
            change["rating"] = Rating(draw.choice([1.0, 4.6]), draw.choice([1, 50]))
        whole = msgspec.structs.replace(one, **change)
        courses.append(unconfirmed(whole, doubt) if doubt.random() < share else whole)
    return published(courses)


def unconfirmed(one: Course, draw: random.Random) -> Course:
    """Return a course that keeps some of the skills that it teaches; others, and new ones, are only matched to it."""
    kept = [row for row in one.teaches if draw.random() < 0.3]
    rows = [row for row in one.teaches if row not in kept or draw.random() < 0.1]
    rows += course("x", (f"s{draw.randrange(8):02}", draw.choice([0, 0, 1]), draw.choice([2, 3, 4]))).teaches
    matched = [
        MatchedRow(
            framework=row.framework,
            skill=row.skill,
            from_level=draw.choice([0, 0, row.from_level]),
            to_level=row.to_level,
            confidence=draw.choice([0.000001, 0.3, 0.5, 0.617283, 0.72, 0.9, 0.999999]),
            threshold=draw.choice([0.4, 0.8, 1.0]),
        )
        for row in rows
    ]
    return msgspec.structs.replace(one, teaches=kept, matched=matched)


def published(courses: Sequence[Course]) -> list[Course]:
    """Return courses as the catalog announces them: all levels and hours are floats."""
    return msgspec.json.decode(msgspec.json.encode(courses), type=list[Course])


def some(most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from([*IDS, "gone"]), max_size=most, unique=True)


def often_none(values: st.SearchStrategy[Any], nothing: Any) -> st.SearchStrategy[Any]:
    return st.one_of(st.just(nothing), st.just(nothing), values)


def rules(field: str, values: st.SearchStrategy[list[str]], *biases: float) -> st.SearchStrategy[Rule]:
    return st.builds(Rule, st.just(field), values, st.sampled_from(biases))


RULES = st.lists(
    rules("course", st.lists(st.sampled_from(IDS), min_size=1, max_size=6), 0.0, 2.0)
    | rules("language", st.just(["en"]), -1.0, 3.0)
    | rules("modality", st.just(["online", "blended"]), -1.0, 1.3)
    | rules("skill", st.just(["s01", "s04"]), 0.0, 20.0)
    | rules("provider", st.just(["About provider"]), 7.0),
    max_size=2,
)
TAUGHT = course("before", ("s00", 0, 2.9), ("s03", 0, 1), ("s06", 0, 2)).teaches
NOTHING_YET: dict[str, float] = {f"s{n:02}": 0.0 for n in range(8)}
FUSED = st.integers(0, 5_500_000).map(lambda millionths: millionths / 1_000_000)
"""A level that is fused from several results, of a scale to 5; sometimes above it."""
LEVELS = st.just(NOTHING_YET) | st.dictionaries(
    st.sampled_from([*NOTHING_YET]), st.sampled_from([0, 0.5, 1, 1.33, 2, 3]) | FUSED
)


@st.composite
def officers(draw: st.DrawFn) -> Inputs:
    """Draw the inputs of an officer, with a value for everything that a plan depends on."""
    sd, when = draw(st.sampled_from([0, 0, 0.4, 1, 0.000001, 0.287341, 100])), draw(st.sampled_from([None, MOMENT]))
    mandatory, completed, excluded = (draw(often_none(some(most), [])) for most in (2, 3, 4))
    dated = {name: MOMENT + timedelta(place - 1) for place, name in enumerate(draw(often_none(some(2), [])))}
    return msgspec.structs.replace(
        inputs(
            SKILL_FRAMEWORK,
            budget_hours=draw(st.sampled_from([None, 0, 7.5, 20, 60, 0.333333, 19.999999])),
            languages=draw(often_none(st.just(["th"]), [])),
            max_steps=draw(often_none(st.integers(0, 4), None)),
            completed=completed,
            completed_at=dated,
            rules=draw(often_none(RULES, [])),
            mandatory=mandatory,
            excluded=[name for name in excluded if name not in mandatory],
            cost_multipliers=dict.fromkeys(draw(often_none(some(4), [])), draw(st.sampled_from([1.5, 300.0]))),
            pinned=[name for name in draw(often_none(some(2), [])) if name not in excluded],
            started=draw(often_none(some(2), [])),
            previous=draw(often_none(some(6), [])),
            taught=dict.fromkeys(draw(often_none(some(2), [])), TAUGHT),
            finishing=draw(st.sampled_from([False, False, True])),
            least_confidence=draw(st.sampled_from([None, None, 0.0, 0.5, 0.617283, 0.95, 1.0])),
            smallest_gap=draw(st.sampled_from([0, 0.25, 0.25, 0.6])),
            elsewhere=draw(often_none(st.just({"other": {"s00": Estimate(1.5, 0.3)}}), {})),
        ),
        levels={skill: Estimate(level, sd, when) for skill, level in draw(LEVELS).items()},
    )


def differences(plan: Inputs, view: View, courses: Iterable[Course]) -> str | None:
    """Return where the paths of the two planners first differ; None if they are equal in every byte."""
    one = msgspec.json.encode(recommend(plan, view))
    other = msgspec.json.encode(reference.recommend(plan, courses, 1))
    if one == other:
        return None
    return first_difference(msgspec.json.decode(one), msgspec.json.decode(other)) or "the bytes"
