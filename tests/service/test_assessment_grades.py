"""A grade export of a learning platform becomes evidence by the tenant's mapping of activities to skills."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from services.assessment.import_commands import main
from tests.support.assessment import assessment_service, levels_of, registered
from tests.support.services import Started

CSV = {"Content-Type": "text/csv"}
QUIZ = "/v1/assessments:import?map=guess&default=activity=safety,maximum=10"
RULES: list[dict[str, Any]] = [
    {"activity": "safety", "skill": "reading", "level": 4, "failed_level": 1},
    {"activity": "both", "skill": "reading", "level": 3},
    {"activity": "both", "skill": "writing", "level": 2, "kind": "test"},
    {"activity": "lost", "skill": "reading", "level": 3},
    {"activity": "lost", "skill": "flying", "level": 3, "kind": "test"},
    {"activity": "watched", "skill": "reading", "level": 2, "verbs": ["completed"]},
]


SERVICE = assessment_service


async def put_mapping(service: Started, rules: list[dict[str, Any]]) -> None:
    body = {"home_page": "https://lms.example.org", "rules": rules}
    assert (await service.ask("PUT", "/v1/xapi-mapping", "admin", json=body)).status == 200


async def refused(
    service: Started, path: str, body: str, headers: dict[str, str] | None = None
) -> tuple[int, str, str]:
    got = await service.ask("POST", path, data=body.encode(), headers=headers or CSV)
    problem = await got.json()
    return got.status, problem.get("field", ""), problem["detail"]


async def imported(service: Started, path: str, body: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    got = await service.ask("POST", path, data=body.encode(), headers=CSV)
    assert got.status == 200, await got.text()
    *verdicts, report = [json.loads(line) for line in (await got.text()).splitlines()]
    return verdicts, report


async def test_a_refusal_names_what_is_missing(service: Started) -> None:
    grades = "รหัสบุคลากร,คะแนน,วันที่สอบ\nofficer-1,8,2026-01-05\n"
    status, field, detail = await refused(service, "/v1/assessments:import", grades)
    assert (status, field) == (422, "header")
    assert detail.endswith("The grade export of a platform is read with map=guess")
    status, field, detail = await refused(service, QUIZ, grades)
    assert (status, field, detail) == (
        422,
        "map",
        "the mapping of activities to skills is missing: PUT /v1/xapi-mapping",
    )
    await put_mapping(service, RULES)
    rows = {"Content-Type": "application/x-ndjson"}
    assert await refused(service, QUIZ, "{}", rows) == (422, "map", "is for tables: CSV")
    default = "/v1/assessments:import?default=activity=safety"
    assert await refused(service, default, "{}", rows) == (422, "default", "is for tables: CSV")


async def test_a_score_is_evidence_once(service: Started) -> None:
    await put_mapping(service, RULES)
    officer, other = await registered(service), await registered(service)
    grades = f"ID number,Completed,Grade\n{officer},5 January 2026 9:15 AM,8.00\n{other},5 January 2026 9:20 AM,-\n"
    verdicts, report = await imported(service, f"{QUIZ}&dry_run=true", grades)
    assert [one["status"] for one in verdicts] == ["created", "unchanged"]
    assert report["mapping"] == {"officer": ["ID number"], "taken_at": ["Completed"], "score": ["Grade"]}
    assert not await levels_of(service, officer)

    verdicts, report = await imported(service, QUIZ, grades)
    assert [one["status"] for one in verdicts] == ["created", "unchanged"]
    assert verdicts[1]["warnings"] == [{"field": "Grade", "detail": "the row holds no score"}]
    assert await levels_of(service, officer) == {"reading": (3.2, 0.4)}

    again = f"Username,State,Grade,Completed\n{officer},Finished,8,05/01/2569 09:15\n"
    verdicts, _ = await imported(service, QUIZ, again)
    assert (verdicts[0]["status"], verdicts[0].get("warnings")) == ("unchanged", None)

    await put_mapping(service, [{"activity": "safety", "skill": "reading", "level": 2}])
    verdicts, _ = await imported(service, QUIZ, grades)
    assert verdicts[0]["status"] == "unchanged"
    assert verdicts[0]["warnings"][0]["detail"] == "was evidence before under another mapping, and stays as it is"
    assert await levels_of(service, officer) == {"reading": (3.2, 0.4)}


async def test_a_row_is_evidence_as_a_whole_or_not_at_all(service: Started) -> None:
    await put_mapping(service, RULES)
    officer = await registered(service)
    path = "/v1/assessments:import?map=guess&default=taken_at=2026-01-05,maximum=10"
    verdicts, report = await imported(service, path, f"officer,both,lost,unknown\n{officer},8,5,9\n")
    assert (verdicts[0]["status"], verdicts[0]["problems"][0]["field"]) == ("refused", "lost")
    assert report["unused_columns"] == ["unknown"]
    assert not await levels_of(service, officer)
    verdicts, _ = await imported(service, path, f"officer,both,lost,unknown\n{officer},8,,9\n")
    assert verdicts[0]["status"] == "created"
    assert await levels_of(service, officer) == {"reading": (2.4, 0.4), "writing": (1.6, 0.3)}


async def test_a_grade_export_is_sent_from_the_command_line(
    service: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await put_mapping(service, RULES)
    officer = await registered(service)
    file = tmp_path / "grades.csv"
    file.write_text(f"รหัสเจ้าหน้าที่;คะแนน;ห้องสอบ;วันที่สอบ\n{officer};8/10;3;2 พ.ย. 2569\n", encoding="utf-8-sig")
    monkeypatch.setenv("ASSESSMENT_URL", service.address)
    monkeypatch.setenv("ASSESSMENT_KEY", await service.key("platform"))
    arguments = ["import-results", str(file), "--map", "guess", "--default", "activity=safety"]
    assert await asyncio.to_thread(main, arguments) == 0
    printed = capsys.readouterr().out.splitlines()
    assert "officer    from รหัสเจ้าหน้าที่" in printed
    assert "columns not taken: ห้องสอบ" in printed
    assert await levels_of(service, officer) == {"reading": (3.2, 0.4)}


async def test_a_row_that_maps_to_nothing_is_refused_with_its_reason(service: Started) -> None:
    await put_mapping(service, RULES)
    officer = await registered(service)
    path = "/v1/assessments:import?map=guess"
    grades = "".join(
        f"{who},{activity},{outcome},2026-01-05\n"
        for who, activity, outcome in (
            (officer, "other", "ผ่าน"),
            (officer, "watched", "ผ่าน"),
            (officer, "both", "ไม่ผ่าน"),
            ("nobody", "both", "ผ่าน"),
            (officer, "safety", "ไม่ผ่าน"),
        )
    )
    grades += f"{officer},safety,ผ่าน,2 ม.ค. 2599\n{officer},safety,ผ่าน,2 ม.ค. 2575\n"
    verdicts, report = await imported(service, path, f"officer,activity,result,date\n{grades}")
    assert [(one["status"], [fault["detail"] for fault in one.get("problems", [])]) for one in verdicts] == [
        ("refused", ["no rule maps the activity with this verb: 'other', passed"]),
        ("refused", ["no rule maps the activity with this verb: 'watched', passed"]),
        ("refused", ["there is no score, and the rule says nothing of a fail without one: 'both', failed"]),
        ("refused", ["no such officer"]),
        ("created", []),
        ("refused", ["'2 ม.ค. 2599' is no time"]),
        ("refused", ["is in the future"]),
    ]
    assert verdicts[-1]["problems"][0]["field"] == "taken_at"
    rows = await (
        await service.ask("GET", f"/v1/assessments/imports/{report['import_id']}/rows?verdict=refused")
    ).json()
    assert [one["line"] for one in rows["rows"]] == [2, 3, 4, 5, 7, 8]
    assert await levels_of(service, officer) == {"reading": (1.0, 0.4)}
