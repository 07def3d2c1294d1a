"""A tenant's rules, and what-if: on real servers."""

from datetime import date
from typing import Any

from msgspec.structs import replace

from shared.domain import MatchedRow
from shared.events import CATALOG_TOPIC
from tests.support.builders import FRAMEWORK, JOB_GROUP, course
from tests.support.recommender import (
    REQUEST,
    courses_of,
    give_feedback,
    path_of,
    planned,
    published,
    recommender,
    somebody,
)
from tests.support.services import Started

NOT_READ = {"rules": [{"field": "course", "values": ["read"], "bias": 0}]}


SERVICE = recommender


async def put(service: Started, tenant: str, body: dict[str, Any], **options: Any) -> tuple[int, dict[str, Any]]:
    got = await service.ask("PUT", "/v1/rules", "admin", tenant=tenant, json=body, **options)
    return got.status, await got.json()


async def recommended(service: Started, **body: Any) -> tuple[int, dict[str, Any]]:
    options = {name: body.pop(name) for name in ("tenant", "role", "officer") if name in body}
    got = await service.ask("POST", "/v1/recommendations", json=body, **options)
    return got.status, await got.json()


# --- rules of a tenant -----------------------------------------------------------------------------------------------


async def test_new_rules_replan_every_path_of_the_tenant_and_of_no_other(service: Started) -> None:
    mine, theirs = somebody("ruled"), somebody("free")
    await planned(service, mine, theirs)
    assert await put(service, "ruled", NOT_READ) == (200, {"version": 1, "changed": True})
    now = await path_of(service, mine, cause="rules")
    assert (set(courses_of(now)), now["revision"], now["path"]["versions"]["rules"]) == ({"read-long", "write"}, 2, 1)
    assert now["stale"] is False
    assert (await path_of(service, theirs))["revision"] == 1
    later = somebody("ruled")
    await planned(service, later)
    assert set(courses_of(await path_of(service, later))) == {"read-long", "write"}
    status, answered = await recommended(service, **REQUEST, tenant="ruled")
    assert (status, set(courses_of(answered))) == (200, {"read-long", "write"})


async def test_rules_have_versions_and_support_if_match(service: Started) -> None:
    empty = await service.ask("GET", "/v1/rules", tenant="counted")
    assert await empty.json() == {"version": 0, "rules": [], "mandatory": []}
    assert await put(service, "counted", NOT_READ) == (200, {"version": 1, "changed": True})
    assert await put(service, "counted", NOT_READ) == (200, {"version": 1, "changed": False})
    status, problem = await put(service, "counted", {}, headers={"If-Match": '"7"'})
    assert (status, problem["field"]) == (412, "If-Match")
    assert await put(service, "counted", {"mandatory": ["read"]}, headers={"If-Match": '"1"'}) == (
        200,
        {"version": 2, "changed": True},
    )
    held = await service.ask("GET", "/v1/rules", tenant="counted", headers={"If-None-Match": '"2"'})
    assert held.status == 304
    assert (await service.ask("PUT", "/v1/rules", "platform", json={})).status == 403


async def test_a_patch_of_the_rules_leaves_the_other_list(service: Started) -> None:
    await put(service, "patching", NOT_READ)
    got = await service.ask("PATCH", "/v1/rules", "admin", tenant="patching", json={"mandatory": ["write"]})
    assert (got.status, await got.json()) == (200, {"version": 2, "changed": True})
    held = await (await service.ask("GET", "/v1/rules", tenant="patching")).json()
    assert held == {"version": 2, **NOT_READ, "mandatory": ["write"]}
    wrong = await service.ask("PATCH", "/v1/rules", "admin", tenant="patching", json={"mandatory": ["read"]})
    assert (wrong.status, (await wrong.json())["field"]) == (422, "rules[0].values[0]")
    gone = await service.ask("PATCH", "/v1/rules", "admin", tenant="patching", json={"rules": None})
    assert gone.status == 200
    stale = await service.ask("PATCH", "/v1/rules", "admin", tenant="patching", json={}, headers={"If-Match": '"2"'})
    assert stale.status == 412


async def test_rules_without_matching_courses_are_stored_with_a_warning(service: Started) -> None:
    rules = [{"field": "provider", "values": ["Nobody", " about PROVIDER"], "bias": 0}]
    body = {"rules": rules, "mandatory": ["read", "gone"]}
    status, taken = await put(service, "spelling", body)
    assert (status, taken["version"]) == (200, 1)
    assert [one["field"] for one in taken["warnings"]] == ["rules[0].values[0]", "mandatory[1]", "rules"]
    assert "'Nobody'" in taken["warnings"][0]["detail"]
    status, again = await put(service, "spelling", body)
    assert (again["changed"], again["warnings"]) == (False, taken["warnings"])
    held = await (await service.ask("GET", "/v1/rules", tenant="spelling")).json()
    assert (held["rules"], held["mandatory"]) == (rules, ["read", "gone"])  # the text as it came
    status, answered = await recommended(service, **REQUEST, rules=rules)
    assert (status, courses_of(answered)) == (200, [])
    assert [one["field"] for one in answered["warnings"]] == ["rules[0].values[0]", "rules"]
    assert "warnings" not in (await recommended(service, **REQUEST))[1]


async def test_invalid_rules_are_rejected_by_field(service: Started) -> None:
    contradiction = NOT_READ | {"mandatory": ["read"]}
    for body, field in (
        (contradiction, "rules[0].values[0]"),
        ({"rules": [{"field": "course", "values": ["read"], "bias": 0.5}]}, "rules[0].bias"),
        ({"rules": [{"field": "colour", "values": ["red"], "bias": 0}]}, "rules[0].field"),
        ({"mandatory": ["read", "read"]}, "mandatory[1]"),
    ):
        status, problem = await put(service, "refused", body)
        assert (status, problem["field"]) == (422, field)
    status, problem = await recommended(service, **REQUEST, **contradiction)
    assert (status, problem["field"]) == (422, "rules[0].values[0]")


def guess(tenant: str, confidence: float, threshold: float = 0.4) -> Any:
    """Return the event of a course that is matched to reading by its description."""
    row = MatchedRow(
        framework=FRAMEWORK, skill="reading", from_level=0, to_level=3, confidence=confidence, threshold=threshold
    )
    return published(tenant, replace(course("guess", hours=0.5), matched=[row]))


async def test_matched_skills_enter_paths_as_unconfirmed_above_the_least_confidence(
    service: Started,
) -> None:
    officer = somebody("guessing")
    rules = {"rules": [{"field": "course", "values": ["read", "read-long"], "bias": 0}]}
    await put(service, "guessing", rules)
    await service.publish(CATALOG_TOPIC, guess("guessing", 0.72))
    await planned(service, officer)
    path = (await path_of(service, officer))["path"]
    (row,) = [row for step in path["steps"] if step["course"]["id"] == "guess" for row in step["closes"]]
    assert row["confidence"] == 0.72
    (reason,) = [step["reason"] for step in path["steps"] if step["course"]["id"] == "guess"]
    assert "matched by its description, not confirmed (72 %)" in reason["en"]
    assert "จับคู่จากคำอธิบายหลักสูตร ยังไม่ได้ยืนยัน (72 %)" in reason["th"]
    surer = rules | {"least_confidence": 0.73}
    assert await put(service, "guessing", surer) == (200, {"version": 2, "changed": True})
    now = await path_of(service, officer, cause="rules")
    assert "guess" not in courses_of(now)
    held = await (await service.ask("GET", "/v1/rules", tenant="guessing")).json()
    assert held == {"version": 2, **surer, "mandatory": []}
    status, answered = await recommended(service, **REQUEST, tenant="guessing")
    assert (status, "guess" in courses_of(answered)) == (200, False)
    why = await service.ask("GET", f"/v1/officers/{officer.officer}/path/why-not/guess", "admin", tenant="guessing")
    explanation = await why.json()
    assert (explanation["cause"], explanation["confidence"]) == ("unsure", 0.72)


async def test_the_least_confidence_is_patched_alone_and_bounded(service: Started) -> None:
    await put(service, "bounded", NOT_READ)
    got = await service.ask("PATCH", "/v1/rules", "admin", tenant="bounded", json={"least_confidence": 0.9})
    assert (got.status, await got.json()) == (200, {"version": 2, "changed": True})
    held = await (await service.ask("GET", "/v1/rules", tenant="bounded")).json()
    assert held == {"version": 2, **NOT_READ, "mandatory": [], "least_confidence": 0.9}
    got = await service.ask("PATCH", "/v1/rules", "admin", tenant="bounded", json={"least_confidence": None})
    assert got.status == 200
    assert "least_confidence" not in await (await service.ask("GET", "/v1/rules", tenant="bounded")).json()
    for wrong in (-0.1, 1.1, "high"):
        status, problem = await put(service, "bounded", {"least_confidence": wrong})
        assert (status, problem["field"]) == (422, "least_confidence")


async def test_a_mandatory_course_is_in_every_path_and_cannot_be_dismissed(service: Started) -> None:
    officer = somebody("strict")
    await service.publish(CATALOG_TOPIC, published("strict", course("duty", ("reading", 0, 1), hours=3)))
    await put(service, "strict", {"mandatory": ["duty"]})
    await planned(service, officer)
    assert "duty" in courses_of(await path_of(service, officer))
    status, problem = await give_feedback(service, officer, "duty", "not_relevant")
    assert (status, problem["field"]) == (409, "action")


async def test_a_request_can_add_rules_and_mandatory_courses(service: Started) -> None:
    _, plain = await recommended(service, **REQUEST)
    assert set(courses_of(plain)) == {"read", "write"}
    _, ruled = await recommended(service, **REQUEST, **NOT_READ, mandatory=["write-long"], budget_hours=1)
    assert "write-long" in courses_of(ruled)
    assert "read" not in courses_of(ruled)
    assert ruled["path"]["over_budget_hours"] == 8


# --- what if ---------------------------------------------------------------------------------------------------------


async def test_what_if_takes_missing_fields_from_the_officer_and_lists_the_changes(service: Started) -> None:
    officer = somebody(levels={"reading": 3, "writing": 0})
    await planned(service, officer)
    status, same = await recommended(service, compare_with=officer.officer)
    assert (status, courses_of(same), same["revision"]) == (200, ["write"], 1)
    await give_feedback(service, officer, "write", "not_relevant")
    status, answered = await recommended(service, compare_with=officer.officer, budget_hours=1)
    assert (status, courses_of(answered)) == (200, [])
    assert (await path_of(service, officer))["revision"] == 2  # nothing was stored


async def test_a_what_if_says_that_the_stage_ended_unless_the_request_has_a_target(service: Started) -> None:
    officer, ended = somebody(stage="early"), "no longer has the career stage “early”"
    await planned(service, officer)
    assert ended in (await path_of(service, officer))["path"]["reason"]["en"]
    _, same = await recommended(service, compare_with=officer.officer)
    assert ended in same["path"]["reason"]["en"]
    _, aimed = await recommended(service, compare_with=officer.officer, target={"reading": 3})
    assert "career stage" not in aimed["path"]["reason"]["en"]


async def test_what_if_accepts_completed_courses(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    _, answered = await recommended(service, compare_with=officer.officer, completed=["read"])
    assert "read" not in courses_of(answered)
    present = await path_of(service, officer)
    assert answered["path"]["coverage"]["before"] > present["path"]["coverage"]["before"]  # it counts as evidence


async def test_an_officers_key_compares_with_itself_only(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    mine = {"role": "officer", "officer": officer.officer, "compare_with": officer.officer}
    assert (await recommended(service, **mine))[0] == 200
    got = await service.ask(
        "POST", "/v1/recommendations", "officer", officer="else", json={"compare_with": officer.officer}
    )
    assert got.status == 404
    assert (await recommended(service, compare_with=officer.officer, tenant="stranger"))[0] == 404
    status, problem = await recommended(service, job_group=JOB_GROUP)
    assert (status, problem["field"]) == (422, "framework")


async def test_what_if_with_fewer_hours_needs_only_the_changed_fields(service: Started) -> None:
    officer = somebody(weekly_hours=10, deadline=date(2999, 1, 1))
    await planned(service, officer)
    _, answered = await recommended(service, compare_with=officer.officer, deadline="2000-01-01")
    assert courses_of(answered) == []
