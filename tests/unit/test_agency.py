"""An agency's figures: added up rightly, and nobody made out in them, not by subtraction either."""

from collections.abc import Iterable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.recommender.agency import AgencyGaps, agency_gaps, first_groups
from services.recommender.measures import Measure, Measures
from services.recommender.model import MICRO
from services.recommender.shortfall import shortfalls
from services.recommender.tally import POOL, Tally, withheld
from shared.paths import CourseCard
from shared.skills import Framework, JobGroup
from tests.builders import FRAMEWORK, framework, text

K = 5
SKILLS = framework({"reading": 3, "writing": 2})
GROUPS = ("service", "it-ops", "it-dev", "legal")
YARDSTICK: Framework = msgspec.structs.replace(SKILLS, job_groups=[JobGroup(name, text(name)) for name in GROUPS])
CARDS = {name: CourseCard(name, text(name), text("p"), 2, ["th"]) for name in ("read", "write")}


def row(skill: str, level: float, *, required: float = 3, reached: float | None = None, cause: str = "") -> Measure:
    return Measure(skill, level, required, required if reached is None else reached, 1.0, assessed=True, cause=cause)


def officer(group: str = "service", *rows: Measure, closes: dict[str, int] | None = None, **fields: object) -> Measures:
    whole = {"status": "ready", "job_group": group, "hours": 4.0, "gap": MICRO, "gained": MICRO, "before": 0.5}
    return msgspec.convert(
        whole | {"after": 1.0, "skills": list(rows), "closes": closes or {}} | fields, Measures, from_attributes=True
    )


def report(officers: Iterable[Measures], first: Iterable[str] = (), **frameworks: int) -> AgencyGaps:
    tally = Tally()
    for one in officers:
        tally.take(one)
    return agency_gaps(
        tally,
        agency="north",
        framework=YARDSTICK,
        frameworks=frameworks or {FRAMEWORK: tally.officers},
        min_group=K,
        cards=CARDS,
        first=list(first),
    )


def test_sums_means_and_sizes_of_gaps() -> None:
    found = report(
        [officer("service", row("reading", level), closes={"read": MICRO}) for level in [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]]
    )
    [reading] = found.skills
    assert (reading.officers, reading.level, reading.gap, reading.after) == (10, 1.5, 1.5, 0)
    assert [(size.above, size.up_to, size.officers) for size in reading.sizes] == [
        (None, 0, 0),
        (0, 0.5, 0),
        (0.5, 1, 5),
        (1, 2, 5),
        (2, None, 0),
    ]
    [course] = found.courses
    assert (course.course.id, course.officers, course.closes) == ("read", 10, 10)
    assert (found.groups[0].officers, found.groups[0].before, found.groups[0].gap) == (10, 0.5, 1)


def test_of_an_agency_below_the_smallest_group_nothing_is_told() -> None:
    found = report([officer("service", row("reading", 1)) for _ in range(4)])
    assert (found.officers, found.skills, found.groups, found.without_path) == (None, [], [], {})
    assert found.frameworks == {FRAMEWORK: None}


def test_a_course_in_fewer_paths_than_the_smallest_group_is_not_told() -> None:
    officers = [officer("service", closes={"read": 1, "write": 1} if i < 4 else {"read": 1}) for i in range(8)]
    assert [row.course.id for row in report(officers).courses] == ["read"]


def test_small_job_groups_stand_together_and_bring_in_another_while_they_are_too_few() -> None:
    found = report(
        [officer("legal") for _ in range(2)] + [officer("it-ops") for _ in range(6)] + [officer() for _ in range(9)]
    )
    assert {row.job_group: row.officers for row in found.groups} == {POOL: 8, "service": 9}


def test_a_skill_says_nothing_of_a_job_group_below_the_smallest_group() -> None:
    officers = [officer("service", row("reading", 1)) for _ in range(9)]
    officers += [officer("legal", row("reading", 3), row("writing", 0, required=2)) for _ in range(2)]
    officers += [officer("it-dev") for _ in range(6)]
    found = report(officers)
    assert [(one.skill, one.officers) for one in found.skills] == [("reading", 9)]


def test_it_stands_first_where_it_is_asked_for() -> None:
    assert first_groups(YARDSTICK, ["it-*", "service"]) == ["it-ops", "it-dev", "service"]
    officers = [officer(name, gap=gap) for name, gap in (("service", 9), ("it-dev", 1)) for _ in range(6)]
    assert [one.job_group for one in report(officers, ["it-ops", "it-dev"]).groups] == ["it-dev", "service"]


def test_who_is_on_no_path_and_why() -> None:
    officers = [officer(closes={"read": 1}) for _ in range(6)]
    officers += [officer("service", row("reading", 1, reached=1, cause="no_course")) for _ in range(5)]
    officers += [officer("service", row("reading", 3)) for _ in range(7)]
    officers += [officer(status="waiting_for_framework") for _ in range(5)]
    assert report(officers).without_path == {"no_course": 5, "none_needed": 7, "waiting_for_framework": 5}


def test_what_training_cannot_close_calls_for_hiring_or_for_time() -> None:
    sample = [officer("service", row("reading", 0, reached=1, cause="no_course")) for _ in range(6)]
    sample += [officer("service", row("writing", 0, required=2, reached=0, cause="budget")) for _ in range(7)]
    found = shortfalls(sample, YARDSTICK, K)
    assert [(one.skill, one.short, one.no_way, one.no_time, one.levels, one.call) for one in found] == [
        ("writing", 7, 0, 7, 14, "more_time"),
        ("reading", 6, 6, 0, 12, "hire"),
    ]


def test_a_shortfall_of_few_is_not_told_and_neither_is_its_split() -> None:
    few = [officer("service", row("reading", 0, reached=1, cause="no_course")) for _ in range(2)]
    many = [officer("service", row("reading", 0, reached=1, cause="budget")) for _ in range(6)]
    done = [officer("service", row("reading", 3)) for _ in range(9)]
    assert shortfalls([*few, *done], YARDSTICK, K) == []
    [found] = shortfalls([*few, *many, *done], YARDSTICK, K)
    assert (found.short, found.no_way, found.no_time) == (8, None, None)


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 30), min_size=1, max_size=8), st.integers(1, 10))
def test_what_is_withheld_does_not_follow_by_subtraction(cells: dict[str, int], smallest: int) -> None:
    told = withheld(cells, smallest)
    hidden = [cells[name] for name, number in told.items() if number is None]
    assert all(number is None or number == 0 or number >= smallest for number in told.values())
    assert all(number is None or number == cells[name] for name, number in told.items())
    if hidden and sum(cells.values()) >= smallest and sum(1 for number in cells.values() if number) > 1:
        assert len(hidden) > 1
        assert sum(hidden) >= smallest
