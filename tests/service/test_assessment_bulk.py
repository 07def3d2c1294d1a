"""Results and officers in bulk: a verdict on every row, the whole idempotent, and single changes first."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.assessment.import_commands import main
from services.assessment.profile import fused
from services.assessment.store import COLLECTION, OfficerStore
from services.assessment.stored_officer import KEPT_EVIDENCE, MOST_EVIDENCE
from tests.support.assessment import (
    CSV,
    TAKEN_AT,
    assessment,
    assessment_service,
    imported,
    profile_of,
    registered,
    row,
    statuses,
    submit,
)
from tests.support.builders import FRAMEWORK, unique
from tests.support.services import Started, Topic, run_command

SERVICE = assessment_service


async def test_every_row_has_a_result_and_a_rejected_one_stops_no_other(service: Started) -> None:
    one, two = await registered(service), await registered(service)
    results = [{"skill": "reading", "level": 1}, {"skill": "writing", "level": 3}]
    rows = [
        row(one, key="a"),
        row("nobody"),
        row(two, 9, skill="flying"),
        row(two, taken_at="2099-01-01T00:00:00Z"),
        {"officer": two},
        row(two, results=results),
        {"officer": two, "taken_at": TAKEN_AT, "results": results},
        row(one, 3, key="a"),
        row(one, key="a"),
        row(two, framework="nowhere"),
        row(two, kind="test", sd=0.2, framework=FRAMEWORK),
    ]
    verdicts, report = await imported(service, rows)
    assert [one["line"] for one in verdicts if one["status"] == "created"] == [1, 7, 11]
    assert [one["line"] for one in verdicts if one["status"] == "unchanged"] == [9]
    refused = {one["line"]: one["problems"] for one in verdicts if "problems" in one}
    fields = {line: [problem.get("field") for problem in problems] for line, problems in refused.items()}
    assert fields == {
        2: ["officer"],
        3: ["skill", "level"],
        4: ["taken_at"],
        5: ["taken_at"],
        6: ["results"],
        8: ["key"],
        10: ["framework"],
    }
    assert verdicts[7]["problems"][0]["status"] == 409
    kinds = {line: [problem["type"].removeprefix("/problems/") for problem in refused[line]] for line in (2, 3, 8, 10)}
    assert kinds == {
        2: ["not-found"],
        3: ["unknown-name", "invalid-input"],
        8: ["id-already-used"],
        10: ["unknown-name"],
    }
    assert (report["created"], report["unchanged"], report["refused"], report["state"]) == (3, 1, 7, "finished")
    profile = await profile_of(service, two)
    assert [level["skill"] for level in profile["levels"]] == ["reading", "writing"]
    assert profile["sequence"] == verdicts[10]["revision"]
    place = f"/v1/assessments/imports/{report['import_id']}"
    assert (await (await service.ask("GET", place)).json()) == report
    refused = await (await service.ask("GET", f"{place}/rows?verdict=refused")).json()
    assert [one["line"] for one in refused["rows"]] == list(fields)
    assert (await service.ask("GET", place, tenant="stranger")).status == 404


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"skill": None}, "skill"),
        ({"level": None}, "level"),
        ({"skill": None, "level": None}, "skill"),
        ({"results": [{"skill": "reading", "level": 1}], "skill": None}, "results"),
        ({"results": [{"skill": "reading", "level": 1}], "skill": None, "level": None, "sd": 0.5}, "results"),
    ],
)
async def test_a_row_has_either_a_skill_with_its_level_or_results(
    service: Started, changed: dict[str, Any], field: str
) -> None:
    officer = await registered(service)
    [verdict], _ = await imported(service, [row(officer) | changed])
    assert [problem["field"] for problem in verdict["problems"]] == [field]
    assert verdict["problems"][0]["detail"] == "needs either `skill` and `level` (and `sd`), or `results`"
    assert "levels" not in await profile_of(service, officer)


EXPORTS = {
    "Moodle quiz": 'Surname,First name,Email address,Completed,Grade/10.00\nใจดี,สมชาย,a@x.go.th,"2 November 2026",8\n',
    "Google Forms": '"Timestamp","Username","Total score"\n"2026/11/02 9:00:00 AM GMT+7","a@x.go.th","8.00 / 10"\n',
    "Microsoft Forms": "ID,Completion time,Email,Name,Total points\n1,11/2/26 9:20,a@x.go.th,A,8\n",
    "Kahoot": "Rank,Player,Total Score (points),Correct Answers\n1,สมชาย,8231,8\n",
    "LearnDash": "user_id,name,quiz_title,score,total,date,percentage,passed\n12,A,Safety,8,10,2 Nov 2026,80,YES\n",
    "Thai spreadsheet": "ลำดับ,รหัส,คำนำหน้า,ชื่อ-สกุล,คะแนนเต็ม,คะแนนที่ได้,วันที่สอบ\n๑,off-1,นาย,สมชาย,๑๐,๘,๒/๑๑/๒๕๖๙\n",
}
"""The first lines of what test platforms export: none names an officer, a skill and a level."""

NO_ID = "is to be 1 to 64 of the characters A-Z, a-z, 0-9, `.`, `_` and `-`, with a letter or a digit first"


@pytest.mark.parametrize("platform", EXPORTS)
async def test_an_export_of_another_platform_is_refused_with_the_columns_that_it_needs(
    service: Started, platform: str
) -> None:
    data = EXPORTS[platform]
    got = await service.ask("POST", "/v1/assessments:import", data=data.encode(), headers=CSV)
    problem = await got.json()
    first = data.partition(",")[0].strip('"').lower()
    assert (got.status, problem["field"]) == (422, "header")
    assert problem["detail"] == (
        f"there is no column {first!r}; columns are: officer, taken_at, skill, level, sd, kind, framework, key"
        ". The grade export of a platform is read with map=guess"
    )


@pytest.mark.parametrize(
    ("name", "value", "detail"),
    [
        ("level", "80%", "is to be a number"),
        ("level", "8/10", "is to be a number"),
        ("level", "ระดับ 2", "is to be a number"),
        ("level", "ผ่าน", "is to be a number"),
        ("level", "80", "above the scale's top, 5"),
        ("level", "", "needs either `skill` and `level` (and `sd`), or `results`"),
        ("taken_at", "2569-11-02T09:00:00+07:00", "2569 looks like a Buddhist year; is 2026 meant?"),
        ("taken_at", "๒๕๖๙-๑๑-๐๒T๐๙:๐๐:๐๐+๐๗:๐๐", "2569 looks like a Buddhist year; is 2026 meant?"),
        *(
            (
                "taken_at",
                given,
                "is to be a date with a time to the second and a zone, such as 2026-11-02T09:00:00+07:00",
            )
            for given in (
                "2/11/2569 09:00",
                "2 พ.ย. 2569",
                "2026-11-02",
                "2026-11-02T09:00:00",
                "2026-11-02T09:00+07:00",
                "46328.375",
            )
        ),
        *(("officer", given, NO_ID) for given in ("นายสมชาย ใจดี", "a@x.go.th", "off 1")),
    ],
)
async def test_a_value_of_another_platform_is_refused_with_its_field_and_no_other_row(
    service: Started, name: str, value: str, detail: str
) -> None:
    officer = await registered(service)
    good = {"officer": officer, "skill": "reading", "level": "๒.๕", "taken_at": TAKEN_AT}
    lines = [",".join(good), ",".join((good | {name: value}).values()), ",".join(good.values())]
    verdicts, _ = await imported(service, "\n".join(lines), headers=CSV)
    assert statuses(verdicts) == ["refused", "created"]
    assert [(one["field"], one["detail"]) for one in verdicts[0]["problems"]] == [(name, detail)]
    assert [level["level"] for level in (await profile_of(service, officer))["levels"]] == [2.5]


async def test_the_same_file_again_changes_nothing_with_keys_or_without(service: Started) -> None:
    officers = [await registered(service) for _ in range(5)]
    rows = [row(one, n) | ({"key": f"k{n}"} if n % 2 else {}) for n, one in enumerate(officers)]
    first, _ = await imported(service, rows)
    before = [await profile_of(service, one) for one in officers]
    again, report = await imported(service, rows)
    assert (statuses(first), statuses(again)) == (["created"] * 5, ["unchanged"] * 5)
    assert [one["revision"] for one in again] == [one["revision"] for one in first]
    assert (report.get("created", 0), report["unchanged"]) == (0, 5)
    assert [await profile_of(service, one) for one in officers] == before


async def test_a_key_is_shared_by_bulk_and_single_submissions(service: Started) -> None:
    officer = await registered(service)
    assert (await submit(service, officer, assessment(1, kind="external"), "k"))[0] == 202
    same = row(officer, 1, key="k", framework=FRAMEWORK)
    assert statuses((await imported(service, [same, same | {"level": 2}]))[0]) == ["unchanged", "refused"]
    assert statuses((await imported(service, [same | {"key": "m"}]))[0]) == ["created"]
    assert (await submit(service, officer, assessment(2, kind="external"), "m"))[0] == 409


async def test_csv_columns_are_named_and_every_fault_is_reported(service: Started) -> None:
    officer = await registered(service)
    head = "officer,skill,level,sd,taken_at,kind\n"
    good, bad = f"{officer},reading,2,,{TAKEN_AT},test\n", f"{officer},reading,two,-1,yesterday,guess\n"
    verdicts, report = await imported(service, f"{head}{good}\n{bad}", headers=CSV)
    assert statuses(verdicts) == ["created", "refused"]
    assert {one["field"] for one in verdicts[1]["problems"]} == {"taken_at", "level", "sd", "kind"}
    assert (verdicts[1]["line"], report["encoding"]) == (4, "ascii")
    for wrong in ("officer,skill,levels\n", "skill,level\n", "officer,officer,taken_at\n"):
        got = await service.ask("POST", "/v1/assessments:import", data=f"{wrong}a,b,1\n", headers=CSV)
        assert (got.status, (await got.json())["field"]) == (422, "header")
    got = await service.ask("POST", "/v1/assessments:import", data=b"{}", headers={"Content-Type": "text/html"})
    assert got.status == 415


async def test_a_dry_run_gives_the_same_results_and_writes_nothing(service: Started) -> None:
    officer = await registered(service)
    rows = [row(officer), row(officer, 9), row("nobody")]
    dry, report = await imported(service, rows, query="?dry_run=true")
    assert (statuses(dry), report["dry_run"]) == (["created", "refused", "refused"], True)
    assert (await profile_of(service, officer))["sequence"] == 1
    assert (await service.ask("GET", f"/v1/assessments/imports/{report['import_id']}")).status == 404
    wet, _ = await imported(service, rows)
    assert wet == dry


async def test_an_import_has_the_id_that_the_client_has_chosen_once(service: Started) -> None:
    officer, chosen = await registered(service), str(uuid4())
    verdicts, report = await imported(service, [row(officer)], query=f"?import_id={chosen}")
    assert (statuses(verdicts), report["import_id"]) == (["created"], chosen)
    place = f"/v1/assessments/imports/{chosen}"
    assert await (await service.ask("GET", place)).json() == report
    assert len((await (await service.ask("GET", f"{place}/rows")).json())["rows"]) == 1
    for path, status in (
        (f"assessments:import?import_id={chosen}", 409),
        (f"officers:import?import_id={chosen}", 409),
        ("officers:import?import_id=x", 422),
        (f"officers:import?import_id={uuid4()}&dry_run=true", 422),
    ):
        body = {"officer": officer, "job_group": "technology"} if "officers" in path else row(officer, 2)
        refused = await service.ask(
            "POST", f"/v1/{path}", data=json.dumps(body), headers={"Content-Type": "application/x-ndjson"}
        )
        assert (refused.status, (await refused.json())["field"]) == (status, "import_id"), path


async def test_all_rows_of_one_officer_are_stored_and_fused(service: Started) -> None:
    officer = await registered(service)
    count = MOST_EVIDENCE + 130
    rows = [
        row(officer, n % 5, key=f"k{n}", taken_at=f"2026-{n % 9 + 1:02}-{n % 28 + 1:02}T09:00:00Z")
        for n in range(count)
    ]
    verdicts, _ = await imported(service, rows)
    assert statuses(verdicts) == ["created"] * count
    store = OfficerStore(service.database("assessment"))
    found = await store.find("agency", officer)
    assert found is not None
    assert found.profile is not None
    assert found.archived
    assert KEPT_EVIDENCE <= found.kept <= MOST_EVIDENCE
    recomputed = await store.recomputed(found)
    assert (found.statistics, found.profile.levels) == (recomputed, fused([], recomputed))
    assert sum(evidence.count for evidence in recomputed.values()) == count
    assert statuses((await imported(service, rows))[0]) == ["unchanged"] * count


async def test_concurrent_rows_and_single_submissions_are_all_applied(service: Started) -> None:
    officers = [await registered(service) for _ in range(10)]
    rows = [row(one, 1, key=f"bulk-{n}") for n in range(3) for one in officers]
    bulk = asyncio.create_task(imported(service, rows))
    singles = await asyncio.gather(
        *(submit(service, one, assessment(3), f"single-{n}") for n in range(3) for one in officers)
    )
    verdicts, _ = await bulk
    assert {status for status, _ in singles} == {202}
    assert statuses(verdicts) == ["created"] * len(rows)
    store = OfficerStore(service.database("assessment"))
    for one in officers:
        found = await store.find("agency", one)
        assert found is not None
        assert found.kept == 6
        assert found.statistics == await store.recomputed(found)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp874"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
async def test_a_table_may_come_with_thai_digits_from_any_spreadsheet(
    service: Started, delimiter: str, encoding: str
) -> None:
    officer = await registered(service)
    lines = [
        ["officer", "skill", "level", "sd", "taken_at"],
        [officer, "reading", "๒", "๐.๔", "๒๐๒๖-๑๑-๐๒T๐๙:๐๐:๐๐+๐๗:๐๐"],
        [officer, "writing", "๑.๕", "", "2569-11-02T09:00:00+07:00"],
        ["๑๒๓", "writing", "๑.๕", "", "2026-11-02T09:00:00+07:00"],
    ]
    table = "\r\n".join(delimiter.join(line) for line in lines).encode(encoding)
    got = await service.ask("POST", "/v1/assessments:import", data=table, headers=CSV)
    first, second, third, _ = [json.loads(line) for line in (await got.text()).splitlines()]
    assert (first["status"], second["status"], third["status"]) == ("created", "refused", "refused")
    assert [second["problems"][0]["field"], third["problems"][0]["field"]] == ["taken_at", "officer"]
    assert "2026" in second["problems"][0]["detail"]
    levels = (await profile_of(service, officer))["levels"]
    assert [(one["level"], one["sd"], one["measured_at"]) for one in levels] == [(2, 0.4, "2026-11-02T02:00:00Z")]


@pytest.mark.parametrize("taken_at", ["2026", "46352", "46352.375"])
async def test_a_number_in_a_table_is_not_a_time(service: Started, taken_at: str) -> None:
    officer = await registered(service)
    table = f"officer,skill,level,taken_at\n{officer},reading,2,{taken_at}\n"
    [verdict], _ = await imported(service, table, headers=CSV)
    assert (verdict["status"], verdict["problems"][0]["field"]) == ("refused", "taken_at")
    assert (await service.ask("GET", f"/v1/officers/{officer}/profile?at={taken_at}")).status == 422


async def test_every_officer_of_a_bulk_is_announced(service: Started, announced: Topic) -> None:
    officers = [await registered(service) for _ in range(3)]
    await imported(service, [row(one, n) for n, one in enumerate(officers)])
    for n, one in enumerate(officers):
        *_, last = await announced.of(f"agency/{one}", 2)
        assert last.data is not None
        assert [level.level for level in last.data.profile.levels] == [n]  # type: ignore[union-attr]


async def test_a_single_change_is_sent_before_a_bulk_that_was_staged_before_it(service: Started) -> None:
    """Documents are read by the relay in the order of `staged_at`; of the same officer the single change counts."""
    first, second, third = [await registered(service) for _ in range(3)]
    await imported(service, [row(first), row(second)])
    await submit(service, third, assessment(1))
    await submit(service, second, assessment(1))
    found = service.database("assessment")[COLLECTION].find({"officer": {"$in": [first, second, third]}})
    order = [document["officer"] async for document in found.sort("staged_at", 1)]
    assert order == [third, second, first]


async def test_officers_are_registered_in_bulk_and_repeating_changes_nothing(service: Started) -> None:
    ids = [unique("bulk") for _ in range(4)]
    rows = [{"officer": one, "job_group": "service", "agency": "north", "languages": ["th", "en"]} for one in ids]
    wrong = [rows[0] | {"agency": "south"}, {"officer": "x y"}, rows[1] | {"officer": unique("bulk"), "job_group": "x"}]
    verdicts, report = await imported(service, [*rows, rows[0], *wrong], "officers")
    assert statuses(verdicts) == ["created"] * 4 + ["unchanged"] + ["refused"] * 3
    fields = [{problem["field"] for problem in one["problems"]} for one in verdicts[5:]]
    assert fields == [{"officer"}, {"officer", "job_group", "agency"}, {"job_group"}]
    assert (report["created"], report["refused"]) == (4, 3)
    assert statuses((await imported(service, rows, "officers"))[0]) == ["unchanged"] * 4
    head = "officer,job_group,agency,languages,weekly_hours\n"
    csv = head + "".join(f"{one},service,south,th en,2.5\n" for one in ids)
    assert statuses((await imported(service, csv, "officers", headers=CSV))[0]) == ["changed"] * 4
    profile = await profile_of(service, ids[0])
    assert (profile["agency"], profile["languages"], profile["weekly_hours"]) == ("south", ["th", "en"], 2.5)
    assert (await service.ask("DELETE", f"/v1/officers/{ids[0]}")).status == 204
    [verdict], _ = await imported(service, rows[:1], "officers")
    assert (verdict["status"], verdict["problems"][0]["status"]) == ("refused", 409)
    [verdict], _ = await imported(service, [row(ids[0])])
    assert (verdict["status"], verdict["problems"][0]["field"]) == ("refused", "officer")


async def command(service: Started, *arguments: str) -> tuple[int, str]:
    environment = {"ASSESSMENT_URL": service.address, "ASSESSMENT_KEY": await service.key("platform")}
    return await run_command(main, environment, *arguments)


async def test_files_are_sent_from_the_command_line(service: Started, tmp_path: Path) -> None:
    ids = [unique("cli") for _ in range(3)]
    officers, results = tmp_path / "officers.csv", tmp_path / "results.ndjson"
    officers.write_text("officer,job_group,agency\n" + "".join(f"{one},service,north\n" for one in ids))
    results.write_text("".join(json.dumps(row(one)) + "\n" for one in [*ids, "nobody"]))
    code, output = await command(service, "import-officers", str(officers))
    assert (code, "created            3" in output) == (0, True)
    code, output = await command(service, "import-results", str(results), "--dry-run")
    assert (code, "report:" in output) == (1, False)
    code, output = await command(service, "import-results", str(results))
    assert (code, "created            3" in output, "row 4 (nobody)" in output, "report: GET" in output) == (
        1,
        True,
        True,
        True,
    )
    assert (await command(service, "import-results", str(tmp_path / "x.pdf")))[0] == 2
    assert (await command(service, "import-results", str(results), "--url", "http://127.0.0.1:1"))[0] == 2
