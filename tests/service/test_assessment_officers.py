"""Officers over HTTP in assessment: who is registered, with what, and who may see and change it."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.assessment.api import ROUTES
from services.assessment.api.context import CONTEXT
from services.assessment.framework_replica import FrameworkReplica
from services.assessment.intake import Intake
from services.assessment.registration import Registrar
from services.assessment.store import OfficerStore
from shared.app import build_app
from shared.auth import Authenticator
from shared.events import CATALOG_TOPIC, FrameworkPublished
from shared.mongo import KeyStore
from tests.support.assessment import PUT, assessment, assessment_service, profile_of, registered, submit
from tests.support.builders import FRAMEWORK, framework, unique
from tests.support.services import Started, Topic
from tests.support.waiting import until

SERVICE = assessment_service


async def test_a_put_without_changes_makes_no_sequence_and_no_event(service: Started, announced: Topic) -> None:
    officer = await registered(service)
    again = await service.ask("PUT", f"/v1/officers/{officer}", json=PUT)
    assert (again.status, await again.json()) == (200, {"officer": officer, "profile_sequence": 1, "changed": False})
    moved = await service.ask("PUT", f"/v1/officers/{officer}", json=PUT | {"job_group": "executive", "stage": "early"})
    assert (moved.status, (await moved.json())["profile_sequence"], moved.headers["ETag"]) == (200, 2, '"2"')
    events = await announced.of(f"agency/{officer}", 2)
    assert [event.sequence for event in events] == [1, 2]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"job_group": "pilots"}, "job_group"),
        ({"stage": "late"}, "stage"),
        ({"framework": "nowhere"}, "framework"),
        ({"weekly_hours": 0}, "weekly_hours"),
        ({"weekly_hours": 168.5}, "weekly_hours"),
        ({"languages": ["Thai"]}, "languages[0]"),
        ({"agency": {"$ne": ""}}, "agency"),
        ({"colour": 1}, "colour"),
    ],
)
async def test_a_wrong_registration_is_rejected_by_field(service: Started, changed: dict[str, Any], field: str) -> None:
    got = await service.ask("PUT", "/v1/officers/nobody", json=PUT | changed)
    assert (got.status, (await got.json())["field"]) == (422, field)
    assert (await service.ask("GET", "/v1/officers/nobody")).status == 404


async def test_a_citizens_number_is_no_id_of_somebody_new(service: Started) -> None:
    for number in ("1101700207030", "1-1017-00207-03-0"):
        path = f"/v1/officers/{number}"
        got = await service.ask("PUT", path, json=PUT)
        assert (got.status, (await got.json())["field"]) == (422, "officer_id")
        row = json.dumps({"officer": number} | PUT)
        sent = await service.ask(
            "POST", "/v1/officers:import", data=row, headers={"Content-Type": "application/x-ndjson"}
        )
        answers = [json.loads(line) for line in (await sent.text()).splitlines()]
        assert [one["field"] for one in answers[0]["problems"]] == ["officer"], answers
        assert (await service.ask("GET", path)).status == 404


async def test_a_number_with_decimals_is_no_id_of_somebody_new(service: Started) -> None:
    """A program that writes a column of numbers with empty cells makes 123.0 of 123."""
    row = json.dumps({"officer": "123.0"} | PUT)
    sent = await service.ask("POST", "/v1/officers:import", data=row, headers={"Content-Type": "application/x-ndjson"})
    [problem] = json.loads((await sent.text()).splitlines()[0])["problems"]
    assert (problem["field"], problem["detail"].partition("; ")[2]) == ("officer", "is '123' meant?")
    assert (await service.ask("PUT", "/v1/officers/123.0", json=PUT)).status == 422


async def test_an_officer_whom_an_earlier_version_registered_by_a_citizens_number_stays(service: Started) -> None:
    officer, number = await registered(service), "1234567890121"
    officers = service.client.app[CONTEXT].store._officers
    document = await officers.find_one({"_id": f"agency/{officer}"})
    document |= {"_id": f"agency/{number}", "officer": number, "outbox": []}
    document["profile"]["officer"] = number
    await officers.insert_one(document)
    path = f"/v1/officers/{number}"
    assert (await service.ask("PUT", path, json=PUT | {"agency": "south"})).status == 200
    assert (await patch(service, path, {"agency": "north"}))[0] == 200
    assert (await submit(service, number, assessment(3)))[0] == 202
    assert (await service.ask("DELETE", path)).status == 204
    again = await service.ask("PUT", path, "admin", json=PUT)
    assert (again.status, (await again.json())["field"]) == (422, "officer_id")


async def test_a_stale_revision_is_rejected(service: Started) -> None:
    officer = await registered(service)
    path = f"/v1/officers/{officer}"
    stale = await service.ask("PUT", path, json=PUT | {"agency": "south"}, headers={"If-Match": '"7"'})
    assert (stale.status, (await stale.json())["field"]) == (412, "If-Match")
    right = await service.ask("PUT", path, json=PUT | {"agency": "south"}, headers={"If-Match": '"1"'})
    assert right.status == 200
    assert (await service.ask("GET", path, headers={"If-None-Match": '"2"'})).status == 304


@pytest.mark.parametrize("erased", [False, True])
async def test_if_match_never_registers_an_officer(service: Started, erased: bool) -> None:
    path = "/v1/officers/if-match-of-nobody"
    if erased:
        path = f"/v1/officers/{await registered(service)}"
        wrong = await service.ask("DELETE", path, headers={"If-Match": '"7"'})
        assert (wrong.status, (await wrong.json())["field"]) == (412, "If-Match")
        assert (await service.ask("DELETE", path, headers={"If-Match": '"1"'})).status == 204
    for value in ("*", '"1"', '"2"', 'W/"1", "2"'):
        got = await service.ask("PUT", path, json=PUT, headers={"If-Match": value})
        assert (got.status, (await got.json())["field"]) == (412, "If-Match"), value
    assert (await service.ask("GET", path)).status == 404


async def test_if_none_match_registers_but_never_changes(service: Started) -> None:
    path = "/v1/officers/if-none-match"
    first = await service.ask("PUT", path, json=PUT, headers={"If-None-Match": "*"})
    assert first.status == 201
    again = await service.ask("PUT", path, json=PUT | {"agency": "south"}, headers={"If-None-Match": "*"})
    assert (again.status, (await again.json())["field"]) == (412, "If-None-Match")
    assert (await service.ask("GET", path, headers={"If-None-Match": "1"})).status == 400


async def patch(service: Started, path: str, body: Any, **options: Any) -> tuple[int, dict[str, Any]]:
    got = await service.ask("PATCH", path, json=body, **options)
    return got.status, await got.json()


async def test_a_patch_changes_named_fields_and_a_put_removes_missing_ones(service: Started, announced: Topic) -> None:
    officer = await registered(service, weekly_hours=4, deadline="2027-05-01", stage="early", languages=["th", "en"])
    path = f"/v1/officers/{officer}"
    await submit(service, officer, assessment(3))
    assert await patch(service, path, {"weekly_hours": 2, "deadline": None}) == (
        200,
        {"officer": officer, "profile_sequence": 3, "changed": True},
    )
    now = await profile_of(service, officer)
    assert (now["weekly_hours"], "deadline" in now, now["stage"], now["languages"]) == (2, False, "early", ["th", "en"])
    assert [level["level"] for level in now["levels"]] == [3]
    assert (await patch(service, path, {"weekly_hours": 2}))[1]["changed"] is False
    assert (await patch(service, path, {"languages": ["en"]}, headers={"If-Match": '"2"'}))[0] == 412
    assert (await patch(service, path, {"languages": ["en"]}, headers={"If-Match": '"3"'}))[1]["profile_sequence"] == 4
    events = await announced.of(f"agency/{officer}", 4)
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert (await service.ask("PUT", path, json=PUT)).status == 200
    assert "weekly_hours" not in await profile_of(service, officer)


async def test_hours_that_an_earlier_version_stored_do_not_prevent_another_change(service: Started) -> None:
    officer = await registered(service, weekly_hours=4)
    path, officers = f"/v1/officers/{officer}", service.client.app[CONTEXT].store._officers
    await officers.update_one({"_id": f"agency/{officer}"}, {"$set": {"profile.weekly_hours": 400.0}})
    assert (await patch(service, path, {"agency": "south"}))[0] == 200
    now = await profile_of(service, officer)
    assert (now["weekly_hours"], now["agency"]) == (400, "south")
    status, problem = await patch(service, path, {"weekly_hours": 401})
    assert (status, problem["field"]) == (422, "weekly_hours")
    assert (await patch(service, path, {"weekly_hours": 8}))[0] == 200


async def test_wrong_patches_are_rejected_by_field_and_change_nothing(service: Started) -> None:
    officer = await registered(service)
    path = f"/v1/officers/{officer}"
    for body, status, field in [
        ({"job_group": "pilots"}, 422, "job_group"),
        ({"job_group": None}, 422, "job_group"),
        ({"deadline": "2570-01-01"}, 422, "deadline"),
        ({"levels": []}, 422, "levels"),
        ([], 422, None),
    ]:
        got, problem = await patch(service, path, body)
        assert (got, problem.get("field")) == (status, field), body
    kind = {"Content-Type": "application/json-patch+json"}
    unlike = await service.ask("PATCH", path, data=b"[]", headers=kind)
    assert (unlike.status, (await unlike.json())["field"]) == (415, "Content-Type")
    answer = await service.ask("OPTIONS", path)
    assert (answer.headers["Accept-Patch"], "PATCH" in answer.headers["Allow"]) == (
        "application/merge-patch+json",
        True,
    )
    assert (await profile_of(service, officer))["sequence"] == 1
    assert (await patch(service, "/v1/officers/nobody", {"agency": "south"}))[0] == 404
    assert (await service.ask("DELETE", path)).status == 204
    assert (await patch(service, path, {"agency": "south"}))[0] == 404


async def test_concurrent_patches_each_change_their_field(service: Started) -> None:
    officer = await registered(service)
    bodies: list[dict[str, Any]] = [
        {"weekly_hours": 3},
        {"deadline": "2027-01-01"},
        {"stage": "early"},
        {"agency": "south"},
    ]
    answers = await asyncio.gather(*(patch(service, f"/v1/officers/{officer}", body) for body in bodies))
    assert [status for status, _ in answers] == [200] * 4
    now = await profile_of(service, officer)
    assert {name: now[name] for body in bodies for name in body} == {n: v for body in bodies for n, v in body.items()}


async def test_an_officers_key_reads_itself_and_submits_only_self_assessments(service: Started) -> None:
    officer, other = await registered(service), await registered(service)
    assert (await submit(service, officer, assessment(kind="self"), role="officer", officer=officer))[0] == 202
    assert (await submit(service, officer, assessment(), role="officer", officer=officer))[0] == 403
    assert (await submit(service, other, assessment(kind="self"), role="officer", officer=officer))[0] == 404
    assert (await service.ask("GET", f"/v1/officers/{officer}", "officer", officer=officer)).status == 200
    got = await service.ask("PUT", f"/v1/officers/{officer}", "officer", officer=officer, json=PUT)
    assert got.status == 403


async def test_of_concurrent_registrations_one_is_first_and_none_is_lost(service: Started) -> None:
    officer = unique("officer")
    bodies = [PUT | {"agency": f"agency-{n}"} for n in range(6)]
    answers = await asyncio.gather(*(service.ask("PUT", f"/v1/officers/{officer}", json=body) for body in bodies))
    assert sorted(answer.status for answer in answers) == [200] * 5 + [201]
    assert sorted([(await answer.json())["profile_sequence"] for answer in answers]) == [1, 2, 3, 4, 5, 6]


async def test_until_the_catalog_is_read_an_unknown_framework_is_503(service: Started) -> None:
    keys = KeyStore(service.mongodb, service.settings)
    app = build_app("Starting", ROUTES, Authenticator(keys, service.settings.api_key_pepper))
    store, index, caught_up = OfficerStore(service.database("assessment")), FrameworkReplica(), asyncio.Event()
    intake = Intake(store, index, caught_up)
    registrar = Registrar(store, intake, index, FRAMEWORK)
    app[CONTEXT] = replace(service.client.app[CONTEXT], store=store, index=index, intake=intake, registrar=registrar)
    headers = {"Authorization": f"Bearer {await service.key('platform')}"}
    async with TestClient(TestServer(app)) as client:
        assert (await client.put("/v1/officers/early", json=PUT, headers=headers)).status == 503
        caught_up.set()
        assert (await client.put("/v1/officers/early", json=PUT, headers=headers)).status == 422


async def test_a_tenants_own_framework_hides_the_shared_one(service: Started) -> None:
    own = framework({"swimming": 2})
    await service.publish(CATALOG_TOPIC, (f"pool/framework:{FRAMEWORK}", 1, FrameworkPublished("pool", own)))
    body = assessment(results=[{"skill": "swimming", "level": 1}])

    async def accepted() -> bool:
        await service.ask("PUT", "/v1/officers/swimmer", json=PUT, tenant="pool")
        return (await submit(service, "swimmer", body, tenant="pool"))[0] == 202

    await until(accepted)
    officer = await registered(service)
    assert (await submit(service, officer, body))[0] == 422


async def test_a_supervisor_rates_only_officers_of_the_own_agency(service: Started) -> None:
    officer, other = await registered(service), await registered(service, agency="south")
    rating = assessment(3, kind="supervisor")
    status, accepted = await submit(service, officer, rating, role="supervisor")
    assert (status, accepted["profile_sequence"]) == (202, 2)
    status, problem = await submit(service, officer, assessment(3, kind="self"), role="supervisor")
    assert (status, problem["field"]) == (403, "kind")
    assert (await submit(service, other, rating, role="supervisor"))[0] == 404
    for path in ("", "/profile", "/assessments", "/self-assessment"):
        for one, expected in ((officer, 200), (other, 404), ("nobody", 404)):
            got = await service.ask("GET", f"/v1/officers/{one}{path}", "supervisor")
            assert got.status == expected, (path, one)
    await service.ask("PATCH", f"/v1/officers/{officer}", json={"agency": "south"})
    assert (await submit(service, officer, rating, role="supervisor"))[0] == 404
    assert (await submit(service, officer, rating, role="supervisor", agency="south"))[0] == 202
    assert (await service.ask("PUT", f"/v1/officers/{officer}", "supervisor", json=PUT)).status == 403
    assert (await service.ask("DELETE", f"/v1/officers/{officer}", "supervisor")).status == 403


async def test_the_form_of_a_self_assessment_asks_what_the_job_group_requires(service: Started) -> None:
    officer, executive = await registered(service), await registered(service, job_group="executive")
    got = await service.ask("GET", f"/v1/officers/{officer}/self-assessment", "officer", officer=officer)
    form = await got.json()
    assert (got.status, form["framework"], form["job_group"]) == (200, FRAMEWORK, "service")
    assert [(skill["skill"], skill["required"]) for skill in form["skills"]] == [("reading", 3), ("writing", 4)]
    assert [level["level"] for level in form["skills"][0]["levels"]] == [0, 1, 2, 3, 4, 5]
    assert set(form["skills"][0]["levels"][0]["title"]) == {"th", "en"}
    assert form["skills"][0]["levels"][2]["descriptor"] == {"th": "เรื่อง reads", "en": "About reads"}
    results = [{"skill": skill["skill"], "level": skill["levels"][1]["level"]} for skill in form["skills"]]
    body = assessment(kind="self", results=results)
    assert (await submit(service, officer, body, role="officer", officer=officer))[0] == 202
    got = await service.ask("GET", f"/v1/officers/{executive}/self-assessment")
    assert (await got.json())["skills"] == []
