"""Levels and job groups of earlier versions of a framework, read through the mappings of the present one."""

from datetime import timedelta
from math import hypot

import msgspec
import pytest

from services.recommender.inputs import PlanRequest, inputs_for
from services.recommender.plan_pool import solve
from services.recommender.planner.index.catalog import Snapshot
from shared.compact_paths import compact, expanded
from shared.domain import SHARED_TENANT, Framework, JobGroup, Profile, SkillLevel, Stage, VersionMapping
from shared.errors import InvalidInput
from shared.messages import path_messages, with_sentences
from shared.paths import LearningPath, Succession, Successor
from shared.succession import carried, job_group_of
from tests.support.builders import DAY, FRAMEWORK, JOB_GROUP, MOMENT, TENANT, course, framework, profile, text

LATER = MOMENT + timedelta(days=1)


def mapped(*rows: VersionMapping, **required: float) -> Framework:
    return msgspec.structs.replace(framework(required), version=2, mappings=list(rows))


def level(skill: str, value: float, sd: float = 0.3, *, later: bool = False, of: str = FRAMEWORK) -> SkillLevel:
    return SkillLevel(of, skill, value, sd, LATER if later else MOMENT)


@pytest.mark.parametrize(
    ("kind", "counted", "doubt"), [("exact", 3.0, 0.0), ("broader", 3.0, 0.5), ("partial", 1.5, 1.0)]
)
def test_the_kind_of_mapping_determines_level_and_uncertainty(kind: str, counted: float, doubt: float) -> None:
    row = VersionMapping("DS300", "DG-020", kind, title=text("design"))  # type: ignore[arg-type]
    found = carried([level("DS300", 3.0)], mapped(row, **{"DG-020": 4}))
    [(skill, one)] = found.levels.items()
    assert (skill, one.skill, one.level, one.measured_at) == ("DG-020", "DG-020", counted, MOMENT)
    assert one.sd == pytest.approx(hypot(0.3, doubt * 5 / 4), abs=1e-6), "levels of a scale up to 5"
    [succession] = found.successions
    assert (succession.id, succession.title, [to.id for to in succession.successors]) == (
        "DS300",
        text("design"),
        ["DG-020"],
    )


def test_a_mapping_that_states_the_former_scale_converts_levels_in_proportion() -> None:
    """The scale ends at 5."""
    rows = [VersionMapping("old", "a", scale_top=4), VersionMapping("part", "b", "partial", scale_top=10)]
    yardstick = mapped(*rows, a=3, b=3)
    yardstick.check()
    found = carried([level("old", 2.0, 0.4), level("part", 8.0, 0.0)], yardstick).levels
    assert {skill: one.level for skill, one in found.items()} == {"a": 2.5, "b": 2.0}
    assert found["a"].sd == pytest.approx(0.5)


def test_the_closest_mapping_counts_then_the_latest_measurement() -> None:
    rows = [
        VersionMapping("old", "new"),
        VersionMapping("part", "new", "partial"),
        VersionMapping("small", "new", "broader"),
        VersionMapping("younger", "new"),
    ]
    yardstick = mapped(*rows, new=4)

    def counted(*levels: SkillLevel) -> float:
        one = carried(levels, yardstick).levels["new"].level
        assert carried(levels[::-1], yardstick).levels["new"].level == one, "whatever the order"
        return one

    assert counted(level("old", 1.0), level("part", 4.0, later=True), level("small", 3.0, later=True)) == 1.0
    assert counted(level("part", 4.0, later=True), level("small", 3.0)) == 3.0
    assert counted(level("new", 2.0), level("old", 1.0, later=True)) == 1.0
    assert counted(level("new", 2.0, later=True), level("old", 1.0)) == 2.0
    assert counted(level("new", 2.0), level("old", 1.0)) == 2.0, "at the same time the skill itself"
    assert counted(level("old", 2.0), level("younger", 4.0)) == 2.0, "of two former ones the lower"
    assert counted(level("old", 4.0), level("younger", 2.0)) == 2.0
    assert counted(level("new", 2.0), level("part", 4.0, later=True)) == 2.0


def test_a_former_skill_whose_level_does_not_count_for_a_successor_names_it() -> None:
    rows = [VersionMapping("old", "a"), VersionMapping("older", "a"), VersionMapping("older", "b", "partial")]
    yardstick = mapped(*rows, a=3, b=3)

    def surpassed(*levels: SkillLevel) -> dict[str, list[str]]:
        return {one.id: one.surpassed for one in carried(levels, yardstick).successions}

    assert surpassed(level("old", 2.0), level("older", 2.5)) == {"old": [], "older": ["a"]}
    assert surpassed(level("old", 2.0), level("older", 1.5)) == {"old": ["a"], "older": []}
    assert surpassed(level("a", 1.0), level("older", 1.5)) == {"older": ["a"]}
    assert surpassed(level("b", 1.0), level("older", 1.5)) == {"older": ["b"]}
    assert surpassed(level("older", 1.5)) == {"older": []}


def test_one_skill_may_be_split_and_other_frameworks_are_unaffected() -> None:
    yardstick = mapped(VersionMapping("old", "a"), VersionMapping("old", "b", "partial"), a=3, b=3)
    found = carried([level("old", 2.0), level("old", 4.0, of="elsewhere")], yardstick)
    assert {skill: one.level for skill, one in found.levels.items()} == {"a": 2.0, "b": 1.0}
    assert [one.id for one in found.successions] == ["old"]


def test_a_level_without_a_successor_does_not_count_and_is_reported() -> None:
    found = carried([level("gone", 2.0), level("a", 1.0)], mapped(a=3))
    assert list(found.levels) == ["a"]
    assert found.successions == [Succession("skill", "gone")]


def test_a_job_group_has_a_successor_or_is_reported_as_removed() -> None:
    yardstick = mapped(VersionMapping("clerks", JOB_GROUP, of="job_group"), a=3)
    name, successions = job_group_of("clerks", yardstick)
    assert (name, successions[0].successors) == (JOB_GROUP, [Successor(JOB_GROUP, text(JOB_GROUP), "exact")])
    assert job_group_of(JOB_GROUP, yardstick) == (JOB_GROUP, [])
    assert job_group_of("nobody", yardstick) == ("nobody", [Succession("job_group", "nobody")])


def test_an_officer_registered_later_under_an_old_version_is_mapped_equally() -> None:
    yardstick = mapped(
        VersionMapping("DS300", "DG-020"), VersionMapping("clerks", JOB_GROUP, of="job_group"), **{"DG-020": 4}
    )
    under_old = msgspec.structs.replace(profile("o", {"DS300": 2.0}), job_group="clerks", framework_version=1)
    inputs = inputs_for(PlanRequest(under_old, DAY), yardstick)
    assert inputs.job_group == JOB_GROUP
    assert {skill: one.level for skill, one in inputs.levels.items()} == {"DG-020": 2.0}
    assert [(one.kind, one.id) for one in inputs.successions] == [("job_group", "clerks"), ("skill", "DS300")]
    inputs.check()


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (VersionMapping("old", "absent"), "mappings[0].target", "unknown skill"),
        (VersionMapping("a", "b"), "mappings[0].origin", "still in the framework"),
        (VersionMapping("old", "absent", of="job_group"), "mappings[0].target", "unknown job group"),
        (VersionMapping(JOB_GROUP, JOB_GROUP, of="job_group"), "mappings[0].origin", "still in the framework"),
        (VersionMapping("old", JOB_GROUP, "partial", "job_group"), "mappings[0].kind", "exact"),
        (VersionMapping("old", JOB_GROUP, of="job_group", scale_top=4), "mappings[0].scale_top", "no level"),
    ],
)
def test_a_mapping_that_does_not_fit_is_rejected_by_its_field(row: VersionMapping, field: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as refused:
        mapped(row, a=1, b=2).check()
    assert refused.value.field == field


def test_duplicate_skill_mappings_and_two_successors_of_a_job_group_are_rejected() -> None:
    groups = [JobGroup(name, text(name)) for name in ("one", "two")]
    for rows in (
        [VersionMapping("old", "a"), VersionMapping("old", "a", "partial")],
        [VersionMapping("old", "one", of="job_group"), VersionMapping("old", "two", of="job_group")],
    ):
        whole = msgspec.structs.replace(mapped(*rows, a=1), job_groups=groups, requirements=[])
        with pytest.raises(InvalidInput, match="mapped twice"):
            whole.check()
    both = [VersionMapping("old", "a"), VersionMapping("old", "b", "partial")]
    mapped(*both, a=1, b=1).check()


def planned(yardstick: Framework, officer: Profile) -> LearningPath:
    """Return the path as a reader sees it: stored, announced, and put into words."""
    offered = course("c", ("DG-020", 0, 4))
    view = Snapshot().put_framework(SHARED_TENANT, yardstick, 1).put_courses(SHARED_TENANT, [offered], 2).view(TENANT)
    made = solve(PlanRequest(officer, DAY), view)
    assert made.violations == []
    return with_sentences(expanded(compact(made.path)))


def test_a_path_states_successors_and_actions_in_both_languages() -> None:
    rows = [
        VersionMapping("DS300", "DG-020", title=text("design")),
        VersionMapping("part", "DG-020", "partial"),
        VersionMapping("clerks", JOB_GROUP, of="job_group"),
    ]
    held = msgspec.structs.replace(profile("o", {"DS300": 2, "part": 1, "gone": 1}), job_group="clerks")
    path = planned(mapped(*rows, **{"DG-020": 4}), held)
    assert (path.status, path.job_group, path.gaps[0].level) == ("ready", JOB_GROUP, 2.0)
    assert [step.course.id for step in path.steps] == ["c"]
    codes = [(message.code, message.values.get("former")) for message in path.reason.messages]
    for expected in (
        ("job_group_moved", "clerks"),
        ("skill_moved", text("design")),
        ("skill_surpassed", "part"),
        ("skill_gone", "gone"),
    ):
        assert expected in codes
    assert "“gone” is no longer in the framework" in str(path.reason.en)
    assert "took its place, another measured level counts" in str(path.reason.en)
    assert "กรอบทักษะรุ่นใหม่ไม่มี “gone” แล้ว" in str(path.reason.th)
    overlapping = planned(mapped(*rows, **{"DG-020": 4}), msgspec.structs.replace(held, levels=[level("part", 1)]))
    assert "be assessed in it" in str(overlapping.reason.en)


@pytest.mark.parametrize(
    ("change", "code", "english", "thai"),
    [
        ({"job_group": "clerks"}, "job_group_gone", "register the officer in one of its job groups", "ในกลุ่มงานที่มีอยู่"),
        ({"stage": "early"}, "stage_gone", "No path can be given", "ลงทะเบียนระยะ"),
    ],
)
def test_without_a_successor_the_path_states_what_to_do(
    change: dict[str, str], code: str, english: str, thai: str
) -> None:
    yardstick = mapped(**{"DG-020": 4})
    if "stage" in change:  # the job group requires something at another stage only
        rows = [msgspec.structs.replace(row, stage="late") for row in yardstick.requirements]
        yardstick = msgspec.structs.replace(yardstick, requirements=rows, stages=[Stage("late", text("Late"))])
    path = planned(yardstick, msgspec.structs.replace(profile("o"), **change))
    assert (path.status, path.steps) == ("refused", [])
    assert [message.code for message in path.reason.messages] == [code]
    assert english in str(path.reason.en)
    assert thai in str(path.reason.th)


def test_without_the_stage_what_is_required_at_every_stage_counts() -> None:
    yardstick = mapped(**{"DG-020": 4})
    late = [msgspec.structs.replace(row, stage="late", level=5) for row in yardstick.requirements]
    yardstick = msgspec.structs.replace(
        yardstick, requirements=[*yardstick.requirements, *late], stages=[Stage("late", text("Late"))]
    )
    path = planned(yardstick, msgspec.structs.replace(profile("o", {"DG-020": 1.0}), stage="early"))
    assert (path.status, path.stage, [row.required for row in path.gaps]) == ("ready", None, [4])
    assert path.successions == [Succession("stage", "early")]
    assert [step.course.id for step in path.steps] == ["c"]
    assert "no longer has the career stage “early”, so what is required at every stage counts" in str(path.reason.en)
    assert "ใช้ระดับที่ต้องการสำหรับทุกระยะ" in str(path.reason.th)
    refused = msgspec.structs.replace(path, status="refused", refusal="a defect")
    assert [one.code for one in path_messages(refused)] == ["refused", "stage_ended"]


def test_many_removed_skills_are_counted() -> None:
    path = planned(mapped(**{"DG-020": 4}), profile("o", {f"s{i}": 1.0 for i in range(9)}))
    codes = [message.code for message in path_messages(path)]
    assert codes.count("skill_gone") == 5
    assert path.reason.messages[-1].values == {"skills": 4}
    assert len(path.successions) == 9
