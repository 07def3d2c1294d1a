"""People confirm, reject and correct matches, singly and in bulk, on real servers."""

import asyncio
import json
import unicodedata
from typing import Any

import msgspec
import pytest

from services.catalog import calibrating
from services.catalog.match_store import MatchStore
from shared.auth import Role
from shared.errors import InvalidInput
from shared.settings import CatalogSettings
from tests.support.builders import unique
from tests.support.matches import (
    ANALYTICS,
    NATIONAL,
    bare,
    decide,
    matched,
    matching_catalog,
    put,
    shown,
    teaches,
)
from tests.support.services import Started, Topic
from tests.support.waiting import until

SERVICE = matching_catalog


async def test_a_confirmed_match_is_taught_at_once_and_announced(service: Started, announced: Topic) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    status, answer = await decide(service, body["id"], "confirm", ANALYTICS)
    assert (status, answer["revision"]) == (200, 3)
    decided = answer["matches"][0]
    assert decided["status"] == "confirmed"
    assert len(decided["decisions"]) == 1
    assert decided["decisions"][0]["by"]
    row = {**ANALYTICS, "from": decided["from"], "to": decided["to"]}
    assert await teaches(service, body["id"]) == [row]
    events = await announced.of(f"agency/{body['id']}", 3)
    course = msgspec.to_builtins(events[-1].data)["course"]
    assert course["teaches"] == [row]
    assert "dt-analytics" not in [one["skill"] for one in course.get("matched", [])]
    again = await decide(service, body["id"], "confirm", ANALYTICS)
    assert (again[1]["revision"], len(again[1]["matches"][0]["decisions"])) == (3, 1)


async def test_a_rejected_match_never_returns_for_the_same_text(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    status, answer = await decide(service, body["id"], "reject", ANALYTICS)
    assert (status, answer["revision"]) == (200, 3)
    assert (NATIONAL, "dt-analytics") not in await shown(service, body["id"])
    await put(service, body | {"hours": 20.0})
    after = await matched(service, body["id"])
    assert [one["status"] for one in after["matches"] if one["skill"] == "dt-analytics"] == ["rejected"]
    await put(service, body | {"title": {"en": "Advanced Data Analytics with Dashboards"}})
    after = await matched(service, body["id"])
    (again,) = [one for one in after["matches"] if one["skill"] == "dt-analytics"]
    assert again["status"] == "proposed"
    assert [one["status"] for one in again["decisions"]] == ["rejected"]


async def test_rejecting_a_confirmed_match_removes_its_row(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    await decide(service, body["id"], "confirm", ANALYTICS)
    status, answer = await decide(service, body["id"], "reject", ANALYTICS)
    assert (status, answer["revision"]) == (200, 4)
    assert await teaches(service, body["id"]) == []
    assert [one["status"] for one in answer["matches"][0]["decisions"]] == ["confirmed", "rejected"]


async def test_a_correction_becomes_what_the_course_teaches(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    right = {"skill": "dg-open-data", "from": 1, "to": 3}
    status, answer = await decide(service, body["id"], "correct", {**ANALYTICS, "right": right})
    assert status == 200, answer
    assert answer["matches"][0]["status"] == "corrected"
    assert await teaches(service, body["id"]) == [{"framework": NATIONAL, **right, "from": 1.0, "to": 3.0}]


@pytest.mark.parametrize(
    ("right", "field"),
    [
        ({"skill": "nowhere", "from": 0, "to": 1}, "matches[0].right.skill"),
        ({"skill": "dt-analytics", "from": 0, "to": 99}, "matches[0].right.to"),
        ({"skill": "dt-analytics", "from": 2, "to": 1}, "matches[0].right"),
    ],
)
async def test_a_correction_that_the_framework_lacks_is_rejected_by_field(
    service: Started, right: dict[str, Any], field: str
) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    status, problem = await decide(service, body["id"], "correct", {**ANALYTICS, "right": right})
    assert (status, problem["field"]) == (422, field)
    assert await teaches(service, body["id"]) == []


async def test_several_decisions_on_a_course_are_stored_together_or_not_at_all(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    status, _ = await decide(service, body["id"], "confirm", ANALYTICS, {"framework": NATIONAL, "skill": "dg-law"})
    assert status == 404
    assert await teaches(service, body["id"]) == []


async def test_a_decision_on_another_revision_is_rejected(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    status, problem = await decide(service, body["id"], "confirm", ANALYTICS, headers={"If-Match": '"7"'})
    assert (status, problem["field"]) == (412, "If-Match")
    assert (await decide(service, body["id"], "confirm", ANALYTICS, headers={"If-Match": '"2"'}))[0] == 200


@pytest.mark.parametrize(("role", "officer"), [("platform", None), ("officer", "somchai")])
async def test_only_an_admin_sees_and_decides_matches(service: Started, role: Role, officer: str | None) -> None:
    body = bare(unique("course"))
    await put(service, body)
    path = f"/v1/courses/{body['id']}/matches"
    row = {"matches": [ANALYTICS]}
    assert (await service.ask("GET", path, role, officer=officer)).status == 403
    assert (await service.ask("POST", f"{path}:confirm", role, officer=officer, json=row)).status == 403
    assert (await service.ask("GET", "/v1/matches", role, officer=officer)).status == 403


async def test_another_tenants_course_is_not_found(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body, tenant="other")
    await matched(service, body["id"], tenant="other")
    assert (await service.ask("GET", f"/v1/courses/{body['id']}/matches", "admin")).status == 404
    assert (await decide(service, body["id"], "confirm", ANALYTICS))[0] == 404
    got = await service.ask(
        "POST", "/v1/matches:confirm", "admin", json={"matches": [{"course": body["id"], **ANALYTICS}]}
    )
    (row,) = (await got.json())["results"]
    assert (row["result"], row["problem"]["status"]) == ("refused", 404)


async def test_many_matches_are_decided_at_once_and_a_rejected_one_stops_none(service: Started) -> None:
    courses = [bare(unique("course")) for _ in range(3)]
    for body in courses:
        await put(service, body)
    await matched(service, courses[0]["id"])
    rows = [{"course": body["id"], **ANALYTICS} for body in courses]
    rows.insert(1, {"course": "nobody", **ANALYTICS})
    got = await service.ask("POST", "/v1/matches:confirm", "admin", json={"matches": [*rows, rows[0]]})
    results = (await got.json())["results"]
    assert [row["result"] for row in results] == ["changed", "refused", "changed", "changed", "unchanged"]
    for body in courses:
        assert len(await teaches(service, body["id"])) == 1


async def test_a_decision_on_what_somebody_else_decided_meanwhile_is_refused(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])

    async def decided(what: str, **more: Any) -> dict[str, Any]:
        rows = [{"course": body["id"], **ANALYTICS, **more}]
        got = await service.ask("POST", f"/v1/matches:{what}", "admin", json={"matches": rows})
        (one,) = (await got.json())["results"]
        return dict(one)

    right = {"skill": ANALYTICS["skill"], "from": 1, "to": 2}
    assert (await decided("confirm", seen="proposed"))["result"] == "changed"
    for what, more in (("reject", {}), ("correct", {"right": right})):
        refused = await decided(what, seen="proposed", **more)
        assert (refused["problem"]["status"], refused["problem"]["field"]) == (409, "matches[0]")
        assert refused["problem"]["detail"] == "somebody else has confirmed this match meanwhile; look again"
    assert len(await teaches(service, body["id"])) == 1
    assert (await decided("confirm", seen="proposed"))["result"] == "unchanged"  # the same decision, or its repetition
    assert (await decided("correct", seen="confirmed", right=right))["result"] == "changed"
    refused = await decided("correct", seen="confirmed", right=right | {"to": 3})
    assert refused["problem"]["status"] == 409
    assert (await decided("correct", seen="corrected", right=right | {"to": 3}))["result"] == "changed"
    assert (await decided("reject"))["result"] == "changed"  # who does not say what was seen decides in any case


async def test_two_concurrent_decisions_are_both_stored(service: Started) -> None:
    body = bare(unique("course"), title={"en": "Data Analytics and Project Management"})
    await put(service, body)
    found = await matched(service, body["id"])
    names = [{"framework": one["framework"], "skill": one["skill"]} for one in found["matches"][:2]]
    assert len(names) == 2
    answers = await asyncio.gather(*(decide(service, body["id"], "confirm", name) for name in names))
    assert [status for status, _ in answers] == [200, 200]
    assert len(await teaches(service, body["id"])) == 2


async def test_a_withdrawn_course_has_no_matches_to_decide(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    assert (await service.ask("DELETE", f"/v1/courses/{body['id']}", "admin")).status == 204
    assert (await decide(service, body["id"], "confirm", ANALYTICS))[0] == 404
    got = await service.ask("GET", "/v1/matches?limit=500", "admin")
    assert body["id"] not in {one["course"] for one in (await got.json())["courses"]}
    await put(service, body)
    assert (await matched(service, body["id"]))["matches"][0]["status"] == "proposed"


async def test_a_missing_course_with_matches_is_withdrawn_by_an_import(service: Started) -> None:
    """One with proposals alone, and one with a confirmed match too: what the catalog adds is no change of a course."""
    provider = {"provider": {"en": unique("provider")}}
    given, proposed, confirmed = (bare(unique("course"), **provider) for _ in range(3))
    for body in (given, proposed, confirmed):
        await put(service, body)
    await matched(service, confirmed["id"])
    assert (await decide(service, confirmed["id"], "confirm", ANALYTICS))[0] == 200
    assert await shown(service, proposed["id"])
    path, headers = "/v1/courses:import?full=true&withdraw=true", {"Content-Type": "application/x-ndjson"}
    got = await service.ask("POST", path, "admin", data=json.dumps(given).encode(), headers=headers)
    report = json.loads((await got.text()).splitlines()[-1])
    assert (report["missing"], report["withdrawn"]) == (sorted([proposed["id"], confirmed["id"]]), 2)


async def test_decisions_recalibrate_the_confidence(service: Started) -> None:
    tenant = unique("decided").replace("_", "-")[:60]
    settings = service.settings
    assert isinstance(settings, CatalogSettings)
    with pytest.raises(InvalidInput, match="nobody"):
        await calibrating.of_decisions(settings, tenant, "no decision")
    names = sorted(unique("course") for _ in range(6))
    for name in names:
        await put(service, bare(name), tenant=tenant)
    await matched(service, names[0], tenant=tenant)
    for place, name in enumerate(names):
        what = "confirm" if place % 2 else "reject"
        assert (await decide(service, name, what, ANALYTICS, tenant=tenant))[0] == 200
    fitted = await calibrating.of_decisions(settings, tenant, "six decisions")
    assert (fitted.courses, fitted.right, fitted.data) == (6, 3, "six decisions")


def span(high: float) -> dict[str, Any]:
    return {"right": {"skill": ANALYTICS["skill"], "from": 0, "to": high}}


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (("reject", {}), ("confirm", {}), "rejected"),
        (("confirm", {}), ("reject", {}), "confirmed"),
        (("confirm", {}), ("correct", span(2)), "confirmed"),
        (("correct", span(2)), ("correct", span(3)), "corrected"),
    ],
)
async def test_the_later_of_two_contradicting_decisions_is_rejected(
    service: Started,
    monkeypatch: pytest.MonkeyPatch,
    first: tuple[str, dict[str, Any]],
    second: tuple[str, dict[str, Any]],
    status: str,
    *,
    bulk: bool,
) -> None:
    body = bare(unique("course"))
    await put(service, body)
    assert ANALYTICS["skill"] in [one["skill"] for one in (await matched(service, body["id"]))["matches"]]
    reached, opened = asyncio.Event(), asyncio.Event()
    unheld = MatchStore.decide

    async def held(store: MatchStore, *given: Any) -> int | None:
        reached.set()
        await opened.wait()
        return await unheld(store, *given)

    async def decided(what: str, more: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if not bulk:
            return await decide(service, body["id"], what, ANALYTICS | more)
        rows = {"matches": [ANALYTICS | more | {"course": body["id"]}]}
        got = await service.ask("POST", f"/v1/matches:{what}", "admin", json=rows)
        (one,) = (await got.json())["results"]
        return one.get("problem", {}).get("status", got.status), one.get("problem", {}) | {"result": one["result"]}

    with monkeypatch.context() as gate:
        gate.setattr(MatchStore, "decide", held)
        late = asyncio.create_task(decided(*second))
        await until(reached.is_set)
    assert (await decided(*first))[0] == 200
    opened.set()
    refused, problem = await late
    assert (refused, problem["field"]) == (409, "matches[0]")
    assert status in problem["detail"]
    (match,) = [one for one in (await matched(service, body["id"]))["matches"] if one["skill"] == ANALYTICS["skill"]]
    assert (match["status"], [one["status"] for one in match["decisions"]]) == (status, [status])
    assert [row["to"] for row in await teaches(service, body["id"])] == (
        [] if status == "rejected" else [2.0] if status == "corrected" else [match["to"]]
    )
    assert (await decided(*second))[0] == 200  # who has seen it may overrule it


async def test_a_request_that_decides_a_match_twice_and_differently_is_rejected_by_place(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    rows = [ANALYTICS | {"course": body["id"]} | span(top) for top in (2, 2, 3)]
    answer = await service.ask("POST", "/v1/matches:correct", "admin", json={"matches": rows})
    results = (await answer.json())["results"]
    assert [one["result"] for one in results] == ["changed", "unchanged", "refused"]
    assert (results[2]["problem"]["status"], results[2]["problem"]["field"]) == (422, "matches[2]")
    alone = {"matches": [ANALYTICS | span(top) for top in (1, 2)]}
    answer = await service.ask("POST", f"/v1/courses/{body['id']}/matches:correct", "admin", json=alone)
    assert (answer.status, (await answer.json())["field"]) == (422, "matches[1]")


async def test_a_rejected_match_stays_rejected_for_its_text_after_another_text_was_proposed(service: Started) -> None:
    body = bare(unique("course"))
    title = body["title"]["th"]

    async def status(text: str, **more: Any) -> list[str]:
        await put(service, body | {"title": {"th": text}} | more)
        return [
            one["status"]
            for one in (await matched(service, body["id"]))["matches"]
            if one["skill"] == ANALYTICS["skill"]
        ]

    assert await status(title) == ["proposed"]
    assert (await decide(service, body["id"], "reject", ANALYTICS))[0] == 200
    for same in (f" {title[:4]} {title[4:]}! ", f"{title[:3]}\u200b{title[3:]}", unicodedata.normalize("NFD", title)):
        assert await status(same) == ["rejected"]
    assert await status(f"{title} ภาค 2") == ["proposed"]
    assert await status(title) == ["rejected"]
