"""A path that is being finished reaches what it promised: hours left never rise, and what was promised is reached."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from services.recommender.catalog_replica import fold_events
from services.recommender.feedback import MOST_ROWS, Feedback, apply_feedback
from services.recommender.inputs import Estimate, Inputs, PlanRequest, inputs_for
from services.recommender.plan_pool import PlannedPath, solve
from services.recommender.plan_validator.validate import validate
from services.recommender.planner.index.catalog import Snapshot, View
from services.recommender.planner.pipeline import recommend, why_not
from services.recommender.planning import same_path
from services.recommender.provenance import request_of
from services.recommender.reference import rule as reference
from services.recommender.rules import NO_RULES
from shared.compact_paths import alternatives, compact
from shared.domain import SHARED_TENANT, Course, Framework, Prerequisite, Profile, SkillLevel
from shared.events import CoursePublished, Event
from shared.paths import LearningPath
from tests.evaluation.finishing import finished, has_risen, unreached
from tests.evaluation.quality import SYNTHETIC, world_of
from tests.support.builders import DAY, MOMENT, TENANT, at, course, framework, inputs, profile, view_of
from tests.support.words import sentences

SEED = Path(__file__).parents[2] / "deploy" / "seed"
NATIONAL = "th-digital-2018"
LATER = MOMENT + timedelta(days=1)


@cache
def seed() -> View:
    """Return the starter data as an agency sees it."""
    lines = (SEED / "courses.ndjson").read_bytes().splitlines()
    courses = [msgspec.json.decode(line, type=Course) for line in lines]
    text = (SEED / "frameworks" / f"{NATIONAL}.json").read_bytes()
    known = msgspec.structs.replace(msgspec.json.decode(text, type=Framework), version=1)
    return Snapshot().put_courses(SHARED_TENANT, courses, 1).put_framework(SHARED_TENANT, known, 2).view(TENANT)


class Studying:
    """An officer whose feedback and plans follow each other as the service makes them."""

    def __init__(self, one: Profile, view: View, day: date = DAY) -> None:
        self.view, self.day, self.profile = view, day, one
        self.feedback, self.revision = Feedback(), 0
        self.paths: list[LearningPath] = []
        self.last = self._planned(PlanRequest(one, day))

    def _planned(self, case: PlanRequest) -> PlannedPath:
        found = solve(case, self.view)
        assert found.violations == []
        self.paths.append(found.path)
        self.last = found
        return found

    @property
    def left(self) -> list[str]:
        """The courses of the present path."""
        return [step.course.id for step in self.paths[-1].steps]

    def completes(self, course_id: str, after: timedelta = timedelta()) -> LearningPath:
        """Report a course as completed, and return the next path."""
        moment = datetime.combine(self.day, datetime.min.time(), UTC) + timedelta(hours=12) + after
        taught = self.view.course(course_id)
        self.feedback = apply_feedback(
            self.feedback, course_id, "completed", at=moment, now=moment, teaches=taught.teaches if taught else ()
        )
        case = PlanRequest(self.profile, self.day, self.feedback, previous=self.left, finishing=True)
        return self._planned(case).path

    def waits(self, days: int) -> LearningPath:
        """Let days go by, and return the path of the weekly sweep."""
        self.day += timedelta(days)
        return self._planned(
            PlanRequest(self.profile, self.day, self.feedback, previous=self.left, finishing=True)
        ).path

    def is_assessed(self, **levels: float) -> LearningPath:
        """Return the path after an assessment that is later than everything."""
        moment = datetime.combine(self.day, datetime.max.time(), UTC)
        kept = [held for held in self.profile.levels if held.skill not in levels]
        news = [SkillLevel(self.profile.framework, name, level, 0.3, moment) for name, level in levels.items()]
        self.profile = msgspec.structs.replace(self.profile, levels=[*kept, *news], sequence=self.profile.sequence + 1)
        return self._planned(PlanRequest(self.profile, self.day, self.feedback, previous=self.left)).path


def officer_of_the_seed() -> Profile:
    """Return the officer who was promised 23 hours and led through 82."""
    levels = {
        "dlit-access": 2.0, "dlit-tools": 2.0, "dlit-collaborate": 1.5, "dlit-safety": 2.0, "dg-law": 1.0,
        "dg-personal-data": 1.0,
    }  # fmt: skip
    taken = datetime(2026, 10, 29, 8, 15, tzinfo=UTC)
    return Profile(
        tenant=TENANT,
        officer="officer-014",
        sequence=1,
        framework=NATIONAL,
        framework_version=1,
        job_group="others",
        agency="agency-b",
        stage="developing",
        languages=["th"],
        weekly_hours=2,
        deadline=date(2027, 9, 30),
        levels=[
            SkillLevel(NATIONAL, skill, level, 0.6 if skill == "dlit-collaborate" else 0.5, taken)
            for skill, level in levels.items()
        ],
    )


def test_the_sample_officer_finishes_after_the_promised_courses() -> None:
    one = Studying(officer_of_the_seed(), seed())
    promised = one.left
    assert promised
    while one.left:
        one.completes(one.left[0])
        assert len(one.paths) <= len(promised) + 1
    assert not has_risen(one.paths)
    assert unreached(one.paths) == []
    assert one.paths[-1].coverage.before == one.paths[0].coverage.after
    assert {row.kind for row in one.paths[-1].assess_first} >= {"confirm"}


@pytest.mark.parametrize("days", [0, 9])
def test_after_each_course_exactly_the_rest_of_the_path_remains(days: int) -> None:
    one = Studying(officer_of_the_seed(), seed())
    while one.left:
        rest, before = one.left[1:], one.paths[-1]
        after = one.completes(one.left[0])
        assert one.left == rest
        assert after.coverage.gap == before.coverage.gap - sum(row.contribution for row in before.steps[0].closes)
        assert [step.closes for step in after.steps] == [step.closes for step in before.steps[1:]]
        if days:
            one.waits(days)
            assert one.left == rest


def test_thirty_officers_of_a_generated_world_finish_what_they_were_promised() -> None:
    found = finished(SYNTHETIC, 5000, 30)
    assert found.courses > 100
    assert (found.rose, found.missed, found.faults) == (0, 0, 0)


# --- a small world ----------------------------------------------------------------------------------------------------

TWO = framework({"a": 3, "b": 2})
SMALL = [
    course("a-low", ("a", 0, 2), hours=4),
    course("a-high", ("a", 2, 3), hours=3),
    course("b-all", ("b", 0, 2), hours=5),
    course("b-some", ("b", 0, 1), hours=2),
]


def studying(courses: Sequence[Course] = SMALL, **fields: Any) -> Studying:
    view = Snapshot().put_courses(SHARED_TENANT, courses, 1).put_framework(SHARED_TENANT, TWO, 2).view(TENANT)
    return Studying(msgspec.structs.replace(profile(levels={"a": 0, "b": 0}), **fields), view)


def test_freed_hours_do_not_extend_the_path_and_the_officer_sees_what_would_fit() -> None:
    one = studying(weekly_hours=7, deadline=DAY + timedelta(weeks=1))
    assert 0 < one.paths[0].hours <= 7
    first = one.left
    for name in first:
        one.completes(name)
    assert not has_risen(one.paths)
    assert one.left == []
    case = one.last.record
    assert case is not None
    finishing = inputs_for(request_of(case, NO_RULES), TWO)
    left_out = [row.id for row in SMALL if row.id not in first]
    assert "kept" in {why_not(finishing, one.view, one.paths[-1], name).cause for name in left_out}
    kept = [row for row in one.paths[-1].open if row.cause == "kept"]
    assert kept
    assert "pin the course" in sentences(one.paths[-1], kept[0]).en
    assert "เวลายังพอ" in sentences(one.paths[-1], kept[0]).th
    assert sentences(one.paths[-1]).en.startswith("The path is finished, with ")


def test_courses_may_be_completed_out_of_order_and_from_outside_the_path() -> None:
    one = studying()
    one.completes("a-high")
    assert one.left == ["b-all"]  # what led to it is not needed any more
    one.completes("b-some")
    assert one.left == ["b-all"]
    one.completes("b-all")
    assert one.left == []
    assert not has_risen(one.paths)


def test_a_completed_course_that_is_withdrawn_or_changed_keeps_its_level() -> None:
    one = studying()
    one.completes("a-low")
    rest = [row for row in SMALL if row.id != "a-low"]
    for courses in (rest, [*rest, course("a-low", ("a", 0, 1))]):
        view = Snapshot().put_courses(SHARED_TENANT, courses, 1).put_framework(SHARED_TENANT, TWO, 2).view(TENANT)
        found = solve(PlanRequest(one.profile, DAY, one.feedback, previous=one.left), view)
        assert (found.violations, [gap.level for gap in found.path.gaps]) == ([], [2, 0])
        assert [step.course.id for step in found.path.steps] == one.left


def test_the_teaching_of_completed_courses_is_stored_up_to_a_limit() -> None:
    rows = course("c", *[(f"s{n}", 0, 1) for n in range(MOST_ROWS)]).teaches
    feedback = apply_feedback(Feedback(), "one", "completed", at=MOMENT, now=MOMENT, teaches=rows)
    more = apply_feedback(feedback, "other", "completed", at=MOMENT, now=MOMENT, teaches=rows[:1])
    assert (set(more.taught()), set(more.completed_at())) == ({"one"}, {"one", "other"})
    assert "taught" not in msgspec.to_builtins(
        apply_feedback(feedback, "third", "pin", at=MOMENT, now=MOMENT, teaches=rows).statements[-1]
    )


def test_only_an_assessment_lowers_a_level() -> None:
    one = studying()
    after = one.completes("a-low")
    assert [gap.level for gap in after.gaps] == [2, 0]
    [confirm] = [row for row in after.assess_first if row.kind == "confirm"]
    assert confirm.skill == "a"
    assert sentences(after, confirm).en == (
        "Assess “About a” to confirm: level 2 is counted from completed courses; "
        "the previous assessment found 0, give or take 0.3."
    )
    assert sentences(after, confirm).th.startswith("ควรประเมิน “เรื่อง a” เพื่อยืนยัน ระดับ 2 นับจากหลักสูตรที่เรียนจบ")
    again = one.is_assessed(a=1.0)
    assert [gap.level for gap in again.gaps] == [1, 0]
    assert [row.skill for row in again.assess_first if row.kind == "confirm"] == []


def test_a_path_that_no_longer_fits_is_replanned_within_the_hours() -> None:
    one = studying(weekly_hours=7, deadline=DAY + timedelta(weeks=2))
    one.waits(8)
    assert not has_risen(one.paths)
    assert one.paths[-1].hours <= (one.paths[-1].budget_hours or 0)
    assert one.left


def test_any_other_change_replans() -> None:
    one = studying(weekly_hours=7, deadline=DAY + timedelta(weeks=1))
    for name in one.left:
        one.completes(name)
    assert one.is_assessed(a=3.0, b=0.0).steps != []


# --- one rule for completions and levels ------------------------------------------------------------------------------


def test_a_level_in_a_request_is_later_than_its_completed_courses_for_gaps_and_entries() -> None:
    courses = [course("done", ("x", 0, 2)), course("next", ("a", 0, 3), requires=[at("x", 2)])]
    yardstick = framework({"a": 3}, others=["x"])
    view = view_of(courses)
    known = inputs(yardstick, {"a": 0, "x": 1}, completed_at={"done": LATER})
    assert [row.cause for row in recommend(known, view).open] == ["prerequisite"]
    unknown = inputs(yardstick, {"a": 0}, completed_at={"done": LATER})
    assert [step.course.id for step in recommend(unknown, view).steps] == ["next"]
    for plan in (known, unknown):
        assert validate(recommend(plan, view), plan, view.course) == []


@pytest.mark.parametrize(("when", "opens"), [(MOMENT - timedelta(days=1), False), (LATER, True)])
def test_a_completion_on_another_framework_counts_if_it_is_later(when: datetime, opens: bool) -> None:
    courses = [
        course("abroad", ("x", 0, 2), of="other"),
        course("next", ("a", 0, 3), requires=[at("x", 2, of="other")]),
    ]
    view = view_of(courses)
    elsewhere = {"other": {"x": Estimate(1, 0.3, MOMENT)}}
    plan = inputs(framework({"a": 3}), {"a": 0}, completed_at={"abroad": when}, elsewhere=elsewhere)
    path = recommend(plan, view)
    assert validate(path, plan, view.course) == []
    assert bool(path.steps) is opens
    assert reference.recommend(plan, courses, 1) == path


def test_a_path_through_the_more_expensive_of_two_branches_can_still_be_finished() -> None:
    either = Prerequisite(any=[at("x", 1), at("y", 1)])
    courses = [
        course("xa", ("x", 0, 1), ("a", 0, 1), hours=4),
        course("y", ("y", 0, 1), hours=1),
        course("goal", ("b", 0, 2), requires=[either]),
    ]
    yardstick = framework({"a": 1, "b": 2}, others=["x", "y"])
    plan = inputs(yardstick, {"a": 0, "b": 0}, previous=["xa", "goal"], finishing=True)
    path = recommend(plan, view_of(courses))
    assert [step.course.id for step in path.steps] == ["xa", "goal"]
    assert reference.recommend(plan, courses, 1) == path


# --- what is too small to measure -------------------------------------------------------------------------------------


def scaled(top: int) -> Framework:
    one = framework({"a": top})
    scale = [msgspec.structs.replace(step, level=n * top / 5) for n, step in enumerate(one.scale)]
    return msgspec.structs.replace(one, scale=scale)


@pytest.mark.parametrize(("top", "least"), [(3, 0.1875), (4, 0.25), (7, 0.4375), (100, 6.25)])
def test_no_course_is_recommended_for_a_gap_that_no_assessment_could_measure(top: int, least: float) -> None:
    view = view_of([course("all", ("a", 0, top))])
    for short, recommended in ((least, True), (least - 0.001, False)):
        plan = inputs(scaled(top), {"a": round(top - short, 6)}, sd=0.3)
        path = recommend(plan, view)
        assert validate(path, plan, view.course) == []
        assert bool(path.steps) is recommended
        assert [row.cause for row in path.open] == ([] if recommended else ["too_small"])
    assert sentences(path, path.open[0]).en.endswith(
        "less than an assessment can measure; no course is recommended for it."
    )
    assert (
        sentences(path).en == "No gap is large enough for an assessment to measure. "
        "1 skill stays below the requirement by less than an assessment can measure."
    )
    assert path.coverage.after == 1


def test_a_path_that_leaves_only_small_gaps_does_not_say_that_every_level_is_reached() -> None:
    view = view_of([course("most", ("a", 0, 2.9), hours=2)])
    path = recommend(inputs(framework({"a": 3}), {"a": 0}, smallest_gap=0.25), view)
    assert [(row.cause, row.skill) for row in path.open] == [("too_small", "a")]
    said = sentences(path)
    assert said.en.startswith("1 course in 2 hours closes ")
    assert said.en.endswith(" 1 skill stays below the requirement by less than an assessment can measure.")
    assert "Every required level is reached" not in said.en
    assert "ครบทุกทักษะที่ต้องการ" not in said.th


def test_no_course_is_added_for_a_gap_below_the_configured_smallest_gap() -> None:
    courses = [course("most", ("a", 0, 2.9), hours=2), course("rest", ("a", 2, 3), hours=8)]
    for smallest, found in ((0.25, ["most"]), (0.0, ["most", "rest"])):
        plan = inputs(framework({"a": 3}), {"a": 0}, smallest_gap=smallest)
        path = recommend(plan, view_of(courses))
        assert [step.course.id for step in path.steps] == found
        assert validate(path, plan, view_of(courses).course) == []
    strict = msgspec.structs.replace(plan, smallest_gap=0.25)
    assert validate(path, strict, view_of(courses).course)  # the independent validator sees a step too many


# --- the same path, the same account ----------------------------------------------------------------------------------


def replanned(plan: Inputs, view: View, path: LearningPath, **changes: Any) -> LearningPath:
    return recommend(msgspec.structs.replace(plan, previous=[step.course.id for step in path.steps], **changes), view)


@pytest.mark.parametrize(
    ("wanted", "kinds"), [({}, []), ({"mandatory": ["gone"]}, ["unknown"]), ({"pinned": ["gone"]}, ["withdrawn"])]
)
def test_a_withdrawn_course_is_reported_once(wanted: dict[str, Any], kinds: list[str]) -> None:
    view = view_of([course("a", ("a", 0, 3)), course("b", ("b", 0, 3))])
    plan = inputs(framework({"a": 3, "b": 3}), {"a": 0, "b": 0}, previous=["a", "gone", "b"], **wanted)
    before, path = recommend(inputs(framework({"a": 3, "b": 3}), {"a": 0, "b": 0}), view), recommend(plan, view)
    assert [note.kind for note in path.notes] == ["withdrawn"]
    assert not same_path(compact(before), alternatives(before), path)
    after = replanned(plan, view, path)
    assert [note.kind for note in after.notes] == kinds
    assert same_path(compact(path), alternatives(path), after)


@pytest.mark.parametrize("number", range(8))
def test_a_kept_path_is_shown_unchanged(number: int) -> None:
    chance = np.random.default_rng([number, 7])
    world, view = world_of(SYNTHETIC, 0)
    plan = world.officer(chance, 40.0)
    path = recommend(plan, view)
    assert same_path(compact(path), alternatives(path), replanned(plan, view, path))
    wanted = [one.id for one in list(world.courses)[number * 20 : number * 20 + 4]]
    other = recommend(msgspec.structs.replace(plan, previous=wanted), view)
    assert same_path(compact(other), alternatives(other), replanned(plan, view, other))


@pytest.mark.parametrize("proved", [True, False])
def test_a_proof_alone_makes_no_other_path(proved: bool) -> None:
    path = recommend(inputs(framework({"a": 3}), {"a": 0}), view_of([course("a", ("a", 0, 3))]))
    assert path.steps
    stored = msgspec.structs.replace(path, proved=proved)
    assert same_path(compact(stored), alternatives(path), path)


DESCRIBED: list[tuple[Callable[[Course], Course], bool]] = [
    (lambda one: msgspec.structs.replace(one, description=one.title), False),
    (lambda one: msgspec.structs.replace(one, accredited_against=["x"]), False),
    (lambda one: msgspec.structs.replace(one, title=one.provider), True),
    (lambda one: msgspec.structs.replace(one, hours=9), True),
]


@pytest.mark.parametrize(("change", "counts"), DESCRIBED, ids=["description", "accreditation", "title", "hours"])
def test_a_change_of_fields_that_no_path_uses_affects_no_plan(change: Callable[[Course], Course], counts: bool) -> None:
    def published(one: Course, stamp: int) -> Event:
        data = CoursePublished(SHARED_TENANT, one)
        return Event("1", "course", "/test", f"{SHARED_TENANT}/{one.id}", MOMENT, stamp, data, None, stamp)

    before = fold_events(Snapshot(), [published(SMALL[0], 1)])
    news = fold_events(before.snapshot, [published(change(SMALL[0]), 2)])
    assert news.snapshot.catalog_revision == 2
    now, wanted = news.snapshot.own_course(SHARED_TENANT, "a-low"), change(SMALL[0])
    assert now is not None
    assert (now.title, now.hours, now.teaches) == (wanted.title, wanted.hours, wanted.teaches)
    assert bool(news.stamps) is counts
    both = fold_events(Snapshot(), [published(SMALL[0], 1), published(change(SMALL[0]), 2)])
    assert both.stamps[SHARED_TENANT, "courses", "a-low"] == (2 if counts else 1)
