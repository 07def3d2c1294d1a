"""xAPI statements: stored once, all of a request or none, and evidence where the tenant's mapping requires it."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from services.assessment.api.context import CONTEXT
from services.assessment.xapi.statements import STATEMENT_LIMIT
from services.assessment.xapi.store import StatementStore
from shared.domain import ScaleLevel
from shared.errors import Unavailable
from shared.events import CATALOG_TOPIC, FrameworkPublished
from tests.support.assessment import TAKEN_AT, assessment_service, levels_of, profile_of, registered
from tests.support.builders import FRAMEWORK, framework, text
from tests.support.services import Started
from tests.support.waiting import until

HOME = "https://lms.example.org"
QUIZ = f"{HOME}/quiz/reading"
VERSION = {"X-Experience-API-Version": "2.0.0"}
RULES = [
    {"activity": QUIZ, "skill": "reading", "level": 4, "failed_level": 1},
    {"activity": f"{HOME}/*", "skill": "writing", "level": 2, "framework": FRAMEWORK, "kind": "test"},
    {"activity": f"{HOME}/both", "skill": "reading", "level": 3},
    {"activity": f"{HOME}/both", "skill": "writing", "level": 2},
    {"activity": f"{HOME}/twice", "skill": "reading", "level": 3},
    {"activity": f"{HOME}/twice", "skill": "reading", "level": 2, "framework": FRAMEWORK},
    {"activity": f"{HOME}/twice", "skill": "reading", "level": 1, "kind": "test"},
    {"activity": f"{HOME}/named", "skill": "reading", "level": 4, "framework": FRAMEWORK, "verbs": ["failed"]},
    {"activity": f"{HOME}/named", "skill": "reading", "level": 2, "framework": FRAMEWORK},
    {"activity": f"{HOME}/named", "skill": "reading", "level": 1},
    {"activity": f"{HOME}/lost", "skill": "flying", "level": 2},
    {"activity": f"{HOME}/passes", "skill": "reading", "level": 2, "verbs": ["passed"]},
]


@pytest.fixture(scope="module")
async def service(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Started]:
    async with assessment_service(mongodb_uri, kafka_bootstrap) as service:
        body = {"home_page": HOME, "rules": RULES}
        assert (await service.ask("PUT", "/v1/xapi-mapping", "admin", json=body)).status == 200
        yield service


def statement(officer: str, verb: str = "passed", activity: str = QUIZ, **changed: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "actor": {"account": {"homePage": HOME, "name": officer}},
        "verb": {"id": f"http://adlnet.gov/expapi/verbs/{verb}", "display": {"en": verb}},
        "object": {"id": activity, "definition": {"name": {"th": "แบบทดสอบ"}}},
        "timestamp": TAKEN_AT,
    } | changed


async def send(service: Started, body: Any, **options: Any) -> tuple[int, Any]:
    data, headers = io.BytesIO(json.dumps(body).encode()), VERSION | {"Content-Type": "application/json"}
    got = await service.ask("POST", "/xapi/statements", data=data, headers=headers, **options)
    assert got.headers["X-Experience-API-Version"] == "2.0.0"
    return got.status, await got.json()


@pytest.mark.parametrize("activity", [QUIZ, "https://elsewhere.example.org/unmapped"])
async def test_no_statement_about_an_officer_who_is_erased_meanwhile_is_left(
    service: Started, monkeypatch: pytest.MonkeyPatch, activity: str
) -> None:
    officer, other = await registered(service), await registered(service)
    keep = StatementStore.keep

    async def keep_later(self: StatementStore, *given: Any) -> int:
        assert (await service.ask("DELETE", f"/v1/officers/{officer}")).status == 204
        return await keep(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(StatementStore, "keep", keep_later)
        got, problem = await send(service, [statement(officer, activity=activity), statement(other)])
    assert (got, problem["field"]) == (400, "actor.account.name")
    statements = service.database("assessment")["statements"]
    assert await statements.count_documents({"officer_key": f"agency/{officer}"}) == 0
    assert await statements.count_documents({"officer_key": f"agency/{other}"}) == 1


@pytest.mark.parametrize(
    "score",
    [
        {"raw": 1e308, "min": -1e308, "max": 1.7e308},
        {"raw": -1e308, "min": -1.7e308, "max": 1e308},
    ],
)
async def test_a_range_that_is_too_wide_gives_no_score(service: Started, score: dict[str, float]) -> None:
    officer = await registered(service)
    assert (await send(service, statement(officer, "scored", result={"score": score})))[0] == 200
    assert await levels_of(service, officer) == {}
    assert (await send(service, statement(officer, "passed", result={"score": score})))[0] == 200
    assert await levels_of(service, officer) == {"reading": (4, 0.4)}


@pytest.mark.parametrize(
    ("changed", "status", "field"),
    [
        ({"context": {"extensions": {f"{HOME}/x": "a" * STATEMENT_LIMIT}}}, 413, "[1]"),
        ({"object": {"objectType": "StatementRef", "id": "a" * 9_000_000}}, 400, "[1].object.id"),
        ({"object": {"id": f"{HOME}/{'a' * 2000}"}}, 400, "[1].object.id"),
    ],
)
async def test_a_statement_that_is_too_large_is_rejected(
    service: Started, changed: dict[str, Any], status: int, field: str
) -> None:
    officer = await registered(service)
    got, problem = await send(service, [statement(officer), statement(officer) | changed])
    assert (got, problem["field"]) == (status, field)
    assert await levels_of(service, officer) == {}


@pytest.mark.parametrize(
    ("verb", "activity", "result", "expected"),
    [
        ("passed", QUIZ, None, {"reading": (4, 0.4)}),
        ("passed", QUIZ, {"score": {"scaled": 0.5}}, {"reading": (2, 0.4)}),
        ("scored", QUIZ, {"score": {"raw": 30, "min": 10, "max": 50}}, {"reading": (2, 0.4)}),
        ("scored", QUIZ, {"score": {"scaled": -0.5}}, {"reading": (0, 0.4)}),
        ("failed", QUIZ, None, {"reading": (1, 0.4)}),
        ("failed", QUIZ, {"score": {"scaled": 0.25}}, {"reading": (1, 0.4)}),
        ("passed", f"{HOME}/other", None, {"writing": (2, 0.3)}),
        ("passed", f"{HOME}/both", None, {"reading": (3, 0.4), "writing": (2, 0.4)}),
        ("completed", f"{HOME}/both", None, {}),
    ],
)
async def test_statements_become_evidence_of_levels(
    service: Started, verb: str, activity: str, result: Any, expected: dict[str, Any]
) -> None:
    officer = await registered(service)
    sent = statement(officer, verb, activity, **({"result": result} if result else {}))
    assert await send(service, sent) == (200, [sent["id"]])
    assert await levels_of(service, officer) == expected
    kinds = [one["kind"] for one in (await evidence(service, officer))]
    assert kinds == [("completion" if verb == "completed" else "test" if "other" in activity else "external")]


@pytest.mark.parametrize(("activity", "level"), [("twice", 3), ("named", 2)])
async def test_a_statement_is_one_piece_of_evidence_of_a_skill_whatever_rules_name_it(
    service: Started, activity: str, level: float
) -> None:
    officer = await registered(service)
    for verb in ("passed", "completed"):
        assert (await send(service, statement(officer, verb, f"{HOME}/{activity}")))[0] == 200
    assert (await levels_of(service, officer)).keys() == {"reading"}
    found = await evidence(service, officer)
    assert sorted((one["kind"], one["results"]) for one in found) == [
        ("completion", [{"skill": "reading", "level": level}]),
        ("external", [{"skill": "reading", "level": level}]),
    ]


async def evidence(service: Started, officer: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await (await service.ask("GET", f"/v1/officers/{officer}/assessments")).json())[
        "assessments"
    ]
    return found


async def counts(service: Started) -> tuple[int, int]:
    mapping = await (await service.ask("GET", "/v1/xapi-mapping")).json()
    return mapping["mapped"], mapping["unmapped"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"verb": {"id": "http://adlnet.gov/expapi/verbs/attempted"}}, "verb"),
        ({"object": {"id": "https://elsewhere.example.org/x"}}, "no rule"),
        ({"object": {"objectType": "StatementRef", "id": str(uuid4())}}, "no activity"),
        ({"object": {"id": f"{HOME}/lost"}}, "flying"),
        ({"verb": {"id": "http://adlnet.gov/expapi/verbs/scored"}}, "no score"),
        ({"result": {"success": False, "score": {"scaled": 0.9}}}, "opposite"),
        ({"verb": {"id": "http://adlnet.gov/expapi/verbs/completed"}, "result": {"completion": False}}, "opposite"),
        ({"verb": {"id": "http://adlnet.gov/expapi/verbs/completed"}, "result": {"success": False}}, "opposite"),
        ({"verb": {"id": "http://adlnet.gov/expapi/verbs/failed"}, "result": {"success": True}}, "opposite"),
        ({"object": {"id": f"{HOME}/passes"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/failed"}}, "no rule"),
    ],
)
async def test_statements_without_evidence_are_stored_and_counted(service: Started, changed: Any, reason: str) -> None:
    officer, before = await registered(service), await counts(service)
    sent = statement(officer) | changed
    assert await send(service, sent) == (200, [sent["id"]])
    assert await send(service, sent) == (200, [sent["id"]])
    assert await evidence(service, officer) == []
    mapping = await (await service.ask("GET", "/v1/xapi-mapping")).json()
    assert (mapping["mapped"], mapping["unmapped"]) == (before[0], before[1] + 1)
    assert (mapping["latest_unmapped"][0]["id"], reason in mapping["latest_unmapped"][0]["reason"]) == (
        sent["id"],
        True,
    )
    got = await service.ask("GET", f"/xapi/statements?statementId={sent['id']}", headers=VERSION)
    assert sent.items() <= (await got.json()).items()


async def test_an_unmapped_statement_becomes_evidence_once_a_rule_maps_it(service: Started) -> None:
    tenant, officer = "later", "officer"
    put = {"job_group": "service", "agency": "north"}
    assert (await service.ask("PUT", f"/v1/officers/{officer}", tenant=tenant, json=put)).status == 201
    sent = statement(officer)
    status, problem = await send(service, sent, tenant=tenant)
    assert (status, problem["field"]) == (400, "actor.account.homePage")
    for rules, count in (([], 0), (RULES, 1)):
        body = {"home_page": HOME, "rules": rules}
        await service.ask("PUT", "/v1/xapi-mapping", "admin", tenant=tenant, json=body)
        assert (await send(service, sent, tenant=tenant))[0] == 200
        got = await service.ask("GET", f"/v1/officers/{officer}/assessments", tenant=tenant)
        assert len((await got.json())["assessments"]) == count


async def test_a_repeated_statement_changes_nothing_and_another_of_its_id_conflicts(service: Started) -> None:
    officer = await registered(service)
    sent = statement(officer)
    assert (await send(service, sent))[0] == 200
    same = dict(reversed(list(sent.items()))) | {"stored": "2026-01-01T00:00:00Z", "version": "1.0.3"}
    assert await send(service, same) == (200, [sent["id"]])
    assert (await send(service, sent | {"id": sent["id"].upper()}))[0] == 200
    status, problem = await send(service, [statement(officer), sent | {"result": {"success": False}}])
    assert (status, problem["field"]) == (409, "[1].id")
    assert len(await evidence(service, officer)) == 1
    put = await service.ask("PUT", f"/xapi/statements?statementId={sent['id']}", json=sent, headers=VERSION)
    assert (put.status, await put.read()) == (204, b"")
    other = {name: value for name, value in sent.items() if name != "id"} | {"context": {"platform": "x"}}
    put = await service.ask("PUT", f"/xapi/statements?statementId={sent['id']}", json=other, headers=VERSION)
    assert put.status == 409


async def test_a_repeated_statement_may_define_and_write_otherwise_what_is_not_part_of_it(service: Started) -> None:
    officer = await registered(service)
    course = {"id": f"{HOME}/course", "definition": {"name": {"en": "Course"}}}
    sent = statement(officer) | {"context": {"contextActivities": {"parent": [course]}}}
    assert (await send(service, sent))[0] == 200
    taken_at = datetime.fromisoformat(sent["timestamp"])
    same = sent | {
        "verb": sent["verb"] | {"display": {"th": "ผ่าน"}},
        "object": sent["object"] | {"definition": {"name": {"th": "ชื่อใหม่ของแบบทดสอบ"}}},
        "context": {"contextActivities": {"parent": [course | {"definition": {"name": {"en": "Renamed"}}}]}},
        "timestamp": taken_at.astimezone(timezone(timedelta(hours=-3))).isoformat(),
    }
    assert await send(service, same) == (200, [sent["id"]])
    assert len(await evidence(service, officer)) == 1
    for other in (
        {"object": {"id": f"{HOME}/other"}},
        {"context": {"contextActivities": {"parent": [{"id": f"{HOME}/other"}]}}},
        {"timestamp": (taken_at + timedelta(seconds=1)).isoformat()},
    ):
        assert (await send(service, same | other))[0] == 409, other


async def test_a_repeated_statement_is_accepted_whatever_has_changed_since(service: Started) -> None:
    tenant, officer, activity = "changing", "officer", f"{HOME}/x"
    put = {"job_group": "service", "agency": "north"}
    assert (await service.ask("PUT", f"/v1/officers/{officer}", tenant=tenant, json=put)).status == 201
    await service.publish(
        CATALOG_TOPIC,
        (
            f"{tenant}/framework:short",
            1,
            FrameworkPublished(
                tenant,
                msgspec.structs.replace(
                    framework({"reading": 1}), id="short", scale=[ScaleLevel(0, text("0")), ScaleLevel(1, text("1"))]
                ),
            ),
        ),
    )
    await until(lambda: service.client.app[CONTEXT].index.find(tenant, "short"))
    reading = {"activity": activity, "skill": "reading", "framework": FRAMEWORK, "level": 4}
    writing = {"activity": activity, "skill": "writing", "level": 2}
    short = {"activity": activity, "skill": "reading", "framework": "short"}
    retired = {"activity": activity, "skill": "flying", "level": 1}
    sent, other = statement(officer, activity=activity), statement(officer, activity=activity)

    async def given(home: str, *rules: Any) -> list[dict[str, Any]]:
        body = {"home_page": home, "rules": rules}
        got = await service.ask("PUT", "/v1/xapi-mapping", "admin", tenant=tenant, json=body)
        assert got.status == 200, await got.text()
        for one in (sent, [other, sent], sent):
            assert (await send(service, one, tenant=tenant))[0] == 200, home
        got = await service.ask("GET", f"/v1/officers/{officer}/assessments", tenant=tenant)
        found: list[dict[str, Any]] = (await got.json())["assessments"]
        return found

    assert await given(HOME, reading, retired) == []  # one of two kinds of evidence is refused: none is taken
    assert await given("https://elsewhere.example.org", reading) == []
    taken = await given(HOME, short | {"level": 1}, reading)
    assert sorted(one["framework"] for one in taken) == sorted([FRAMEWORK, "short"] * 2)
    for rules in ([reading | {"level": 1}], [writing, reading, retired], []):
        assert await given(HOME, *rules) == taken
    assert await given("https://elsewhere.example.org", reading) == taken


async def test_a_statement_whose_answer_was_lost_is_evidence_once_whatever_the_mapping_is_then(
    service: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer = await registered(service)
    sent = statement(officer)
    keep = StatementStore.keep

    async def lost(*_: Any) -> int:
        raise Unavailable("the process ends here")

    monkeypatch.setattr(StatementStore, "keep", lost)
    assert (await send(service, sent))[0] == 503
    monkeypatch.setattr(StatementStore, "keep", keep)
    assert await levels_of(service, officer) == {"reading": (4, 0.4)}
    try:
        body = {"home_page": HOME, "rules": [RULES[0] | {"level": 2}, *RULES[1:]]}
        assert (await service.ask("PUT", "/v1/xapi-mapping", "admin", json=body)).status == 200
        status, problem = await send(service, sent | {"result": {"success": True}})
        assert (status, problem["field"]) == (409, "id")
        assert (await send(service, sent))[0] == 200
        assert (await send(service, sent))[0] == 200
    finally:
        await service.ask("PUT", "/v1/xapi-mapping", "admin", json={"home_page": HOME, "rules": RULES})
    assert await levels_of(service, officer) == {"reading": (4, 0.4)}
    assert len(await evidence(service, officer)) == 1


async def test_without_an_id_the_content_identifies_the_statement(service: Started) -> None:
    officer = await registered(service)
    sent = statement(officer)
    del sent["id"]
    (_, first), (_, second) = await send(service, sent), await send(service, sent)
    assert first == second
    assert len(await evidence(service, officer)) == 1
    _, third = await send(service, sent | {"timestamp": "2026-11-20T10:00:00+07:00"})
    assert third != first


async def test_one_of_several_concurrent_contents_of_one_id_is_stored(service: Started) -> None:
    officer = await registered(service)
    sent = statement(officer)
    answers = await asyncio.gather(
        *(send(service, sent | {"result": {"score": {"scaled": n / 10}}}) for n in range(1, 6)),
        *(send(service, sent | {"result": {"score": {"scaled": 0.1}}}) for _ in range(3)),
    )
    assert {status for status, _ in answers} <= {200, 409}
    assert 200 in {status for status, _ in answers}
    assert len(await evidence(service, officer)) == 1


async def test_an_id_is_the_same_in_every_form_of_a_uuid(service: Started) -> None:
    officer, named = await registered(service), uuid4()
    forms = [str(named), named.hex, str(named).upper(), named.hex.upper()]
    for form, other in zip(forms, forms[1:] + forms[:1], strict=True):
        sent = statement(officer) | {"id": other}
        put = await service.ask("PUT", f"/xapi/statements?statementId={form}", json=sent, headers=VERSION)
        assert put.status == 204
        assert await send(service, sent) == (200, [str(named)])
        got = await service.ask("GET", f"/xapi/statements?statementId={form}", headers=VERSION)
        assert (got.status, (await got.json())["id"]) == (200, str(named))
    assert len(await evidence(service, officer)) == 1
    status, problem = await send(service, [statement(officer) | {"id": form} for form in forms[:2]])
    assert (status, problem["field"], "the same as [0].id" in problem["detail"]) == (400, "[1].id", True)
    status, problem = await send(service, [statement(officer), *[statement(officer, timestamp=TAKEN_AT)] * 2])
    assert (status, problem["field"], "the same as [1].id" in problem["detail"]) == (400, "[2].id", True)
    for wrong in ("1", f"urn:uuid:{named}", f"{named}x"):
        got = await service.ask("GET", f"/xapi/statements?statementId={wrong}", headers=VERSION)
        assert (got.status, (await got.json())["field"]) == (400, "statementId")


async def test_a_client_limited_to_http_basic_sends_its_key_as_the_password(service: Started) -> None:
    officer, key = await registered(service), await service.key("platform")
    sent = statement(officer)
    for credentials, status in ((f"any:{key}", 200), (f":{key}", 200), (key, 401), ("any:x.y", 401), ("any:", 401)):
        headers = VERSION | {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
        assert (await service.client.post("/xapi/statements", json=sent, headers=headers)).status == status
        got = await service.client.get(f"/xapi/statements?statementId={sent['id']}", headers=headers)
        assert got.status == status
    for wrong in ("Basic", "Basic %%%", "Basic 4LiB", f"Basic {key}"):
        got = await service.client.post("/xapi/statements", json=sent, headers=VERSION | {"Authorization": wrong})
        assert got.status == 401


LATE = (datetime.now(UTC) + timedelta(hours=1)).isoformat()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"actor": {"mbox": "mailto:a@example.org"}}, "actor.mbox"),
        ({"actor": {"objectType": "Group", "member": []}}, "actor.objectType"),
        ({"actor": {"account": {"homePage": "https://other.example.org", "name": "x"}}}, "actor.account.homePage"),
        ({"actor": {"account": {"homePage": HOME, "name": "nobody"}}}, "actor.account.name"),
        ({"actor": {"account": {"homePage": HOME, "name": "a b"}}}, "actor.account.name"),
        ({"actor": {"account": {"homePage": HOME}}}, "actor.account.name"),
        ({"actor": {}}, "actor"),
        ({"verb": {"id": "passed"}}, "verb.id"),
        ({"object": {"id": "quiz"}}, "object.id"),
        ({"object": {}}, "object.id"),
        ({"timestamp": LATE}, "timestamp"),
        ({"timestamp": "1812-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": "2026-11-20T09:00:00"}, "timestamp"),
        ({"id": "1"}, "id"),
        ({"result": {"score": {"scaled": 2}}}, "result.score.scaled"),
        ({"result": {"score": {"raw": 1, "min": 5, "max": 5}}}, "result.score.min"),
        ({"result": {"score": {"raw": 1, "min": 5, "max": 9}}}, "result.score.raw"),
        ({"result": {"score": {"raw": 11, "max": 10}}}, "result.score.raw"),
        ({"version": "0.9"}, "version"),
        ({"timestamp": "2026-11-20T09:00:00-00:00"}, "timestamp"),
        ({"timestamp": "2026-11-20T09:00:00+24:00"}, "timestamp"),
        ({"attachments": [{"usageType": f"{HOME}/file", "sha2": "0"}]}, "attachments[0].fileUrl"),
        (
            {"attachments": [{"usageType": "http://adlnet.gov/expapi/attachments/signature", "fileUrl": HOME}]},
            "attachments[0].usageType",
        ),
        ({"extra": 1}, "extra"),
    ],
)
async def test_a_bad_statement_is_rejected_by_field_and_the_others_of_its_request_with_it(
    service: Started, changed: Any, field: str
) -> None:
    officer = await registered(service)
    status, problem = await send(service, statement(officer) | changed)
    assert (status, problem["field"]) == (400, field)
    status, problem = await send(service, [statement(officer), statement(officer) | changed])
    assert (status, problem["field"]) == (400, f"[1].{field}")
    assert await evidence(service, officer) == []


async def test_a_request_with_the_content_of_attachments_is_unsupported(service: Started) -> None:
    officer = await registered(service)
    sent = statement(officer)
    parts = f"--b\r\nContent-Type: application/json\r\n\r\n{json.dumps(sent)}\r\n--b--\r\n"
    headers = VERSION | {"Content-Type": "multipart/mixed; boundary=b"}
    for method, path in (("POST", "/xapi/statements"), ("PUT", f"/xapi/statements?statementId={sent['id']}")):
        got = await service.ask(method, path, data=parts, headers=headers)
        assert (got.status, (await got.json())["field"]) == (415, "Content-Type")
    linked = sent | {"attachments": [{"usageType": f"{HOME}/file", "fileUrl": f"{HOME}/file.pdf"}]}
    assert (await send(service, linked))[0] == 200


async def test_a_voiding_statement_is_forbidden_and_nothing_of_its_request_is_stored(service: Started) -> None:
    officer = await registered(service)
    accepted, other = statement(officer), statement(officer)
    assert (await send(service, accepted))[0] == 200
    before = await profile_of(service, officer)
    voiding = statement(officer, "voided", object={"objectType": "StatementRef", "id": accepted["id"]})
    by_an_administrator = voiding | {"actor": {"mbox": "mailto:lms@example.org"}}
    for sent, field in ((voiding, "verb.id"), (by_an_administrator, "verb.id"), ([other, voiding], "[1].verb.id")):
        status, problem = await send(service, sent)
        assert (status, problem["field"]) == (403, field)
    for one, status in ((accepted, 200), (other, 404), (voiding, 404)):
        got = await service.ask("GET", f"/xapi/statements?statementId={one['id']}", headers=VERSION)
        assert got.status == status
    assert await profile_of(service, officer) == before


async def test_the_xapi_version_is_required_and_answered(service: Started) -> None:
    about = await service.client.get("/xapi/about")
    assert (about.status, await about.json()) == (200, {"version": ["1.0.3", "2.0.0"]})
    for version, status, answered in (
        ("1.0.3", 404, "1.0.3"),
        ("1.0", 404, "1.0.3"),
        ("1.0.9", 404, "1.0.3"),
        ("2.0.0", 404, "2.0.0"),
        ("2.0.1", 404, "2.0.0"),
        ("0.95", 400, "2.0.0"),
        ("1.1.0", 400, "2.0.0"),
        ("3", 400, "2.0.0"),
        ("", 400, "2.0.0"),
    ):
        headers = {"X-Experience-API-Version": version}
        got = await service.ask("GET", f"/xapi/statements?statementId={uuid4()}", headers=headers)
        assert (got.status, got.headers["X-Experience-API-Version"]) == (status, answered), version
    nobody = await service.client.get(f"/xapi/statements?statementId={uuid4()}", headers=VERSION)
    assert (nobody.status, nobody.headers["X-Experience-API-Version"]) == (401, "2.0.0")


async def test_a_wrong_query_is_400_as_xapi_requires(service: Started) -> None:
    sent = uuid4()
    for method, query, field in (
        ("GET", "", "statementId"),
        ("PUT", "", "statementId"),
        ("GET", f"?statementId={sent}&since=2026-11-02T02:00:00Z", "since"),
        ("GET", f"?voidedStatementId={sent}", "voidedStatementId"),
        ("GET", f"?statementId={sent}&statementId={sent}", "statementId"),
        ("POST", "?dry_run=true", "dry_run"),
    ):
        got = await service.ask(method, f"/xapi/statements{query}", json={}, headers=VERSION)
        assert (got.status, (await got.json())["field"]) == (400, field), (method, query)


async def test_ten_thousand_statements_are_accepted_and_more_are_rejected(service: Started) -> None:
    officers = [await registered(service) for _ in range(20)]
    many = [statement(officers[n % 20], id=str(uuid4())) for n in range(10_000)]
    assert await send(service, many) == (200, [one["id"] for one in many])
    [level] = (await profile_of(service, officers[0]))["levels"]
    assert level["level"] == 4
    shown = await (await service.ask("GET", f"/v1/officers/{officers[0]}/profile")).json()
    assert shown["skills"][0]["pieces"] == 500
    status, problem = await send(service, [*many, statement(officers[0])])
    assert (status, "10000" in problem["detail"]) == (413, True)
    status, problem = await send(service, [many[0], many[0]])
    assert status == 400
    assert (await send(service, []))[0] == 400


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"skill": "flying", "framework": FRAMEWORK}, "rules[0].skill"),
        ({"level": 9, "framework": FRAMEWORK}, "rules[0].level"),
        ({"framework": "nowhere"}, "rules[0].framework"),
        ({"activity": "https://a*b"}, "rules[0].activity"),
        ({"verbs": ["attempted"]}, "rules[0].verbs[0]"),
        ({"sd": 0.1, "framework": FRAMEWORK}, "rules[0].sd"),
        ({"sd": 0.000001}, "rules[0].sd"),
    ],
)
async def test_a_wrong_mapping_is_rejected_by_field(service: Started, rule: Any, field: str) -> None:
    body = {"home_page": HOME, "rules": [RULES[0] | rule]}
    got = await service.ask("PUT", "/v1/xapi-mapping", "admin", json=body)
    assert (got.status, (await got.json())["field"]) == (422, field)
    assert (await service.ask("PUT", "/v1/xapi-mapping", json=body)).status == 403


async def test_an_erased_officers_statements_are_deleted(service: Started) -> None:
    officer = await registered(service)
    sent = statement(officer)
    await send(service, sent)
    assert (await service.ask("DELETE", f"/v1/officers/{officer}")).status == 204
    got = await service.ask("GET", f"/xapi/statements?statementId={sent['id']}", headers=VERSION)
    assert got.status == 404
    status, problem = await send(service, sent)
    assert (status, problem["field"]) == (400, "actor.account.name")
