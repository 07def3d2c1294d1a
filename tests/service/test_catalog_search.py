"""Search over HTTP in the catalog, on a real MongoDB and a real broker, with two replicas."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from services.catalog.__main__ import build
from services.catalog.api.context import CONTEXT
from tests.support.builders import FRAMEWORK, unique
from tests.support.catalog import catalog, course, put
from tests.support.services import Started, started
from tests.support.waiting import until

SERVICE = catalog


async def search(service: Started, query: str, **options: Any) -> dict[str, Any]:
    got = await service.ask("GET", f"/v1/courses?{query}", **options)
    assert got.status == 200, await got.text()
    page: dict[str, Any] = await got.json()
    return page


async def refused(service: Started, query: str, **options: Any) -> tuple[int, str | None]:
    got = await service.ask("GET", f"/v1/courses?{query}", **options)
    return got.status, (await got.json()).get("field")


async def finds(service: Started, query: str, *names: str, tenant: str = "agency") -> dict[str, Any]:
    """Return the page once it holds exactly these courses; what was announced is folded a moment later."""
    page: dict[str, Any] = {}

    async def found() -> bool:
        nonlocal page
        page = await search(service, query, tenant=tenant)
        return sorted(one["id"] for one in page["courses"]) == sorted(names)

    await until(found, f"{names} by {query}")
    return page


def titled(name: str, th: str, en: str, **more: Any) -> dict[str, Any]:
    return course(name, title={"th": th, "en": en}, **more)


async def test_a_published_course_is_found_with_its_highlights_and_a_withdrawn_one_is_gone(service: Started) -> None:
    name = unique("course")
    await put(service, titled(name, "การสำรวจดาวเทียมภูมิสารสนเทศ", "Satellite Survey"))
    query = f"q={quote('ดาวเทียมภูมิสารสนเทด')}"
    page = await finds(service, query, name)
    assert page["total"] == 1
    assert page["next"] is None
    title = page["courses"][0]["title"]["th"]
    begin, end = page["highlights"][name]["title.th"][0]
    assert title[begin:end].startswith("ดาวเทียมภูมิสารสน")
    assert page["facets"]["language"] == [{"language": "th", "count": 1}]
    assert page["facets"]["skill"] == [{"framework": FRAMEWORK, "skill": "reading", "count": 1}]
    await put(service, titled(name, "การบัญชีภาครัฐเบื้องต้น", "Accounting"))
    await finds(service, query)
    await finds(service, f"q={quote('บัญชีภาครัฐเบื้องตน')}", name)
    assert (await service.ask("DELETE", f"/v1/courses/{name}", "admin")).status == 204
    await finds(service, f"q={quote('บัญชีภาครัฐเบื้องตน')}")


async def test_another_tenants_courses_are_not_found_and_its_cursors_are_rejected(service: Started) -> None:
    word = unique("zebra").replace("-", "")
    own, other, shared = f"{word}-own", f"{word}-other", f"{word}-shared"
    await put(service, titled(own, f"{word} หนึ่ง", f"{word} one"))
    await put(service, titled(other, f"{word} สอง", f"{word} two"), tenant="elsewhere")
    await put(service, titled(shared, f"{word} สาม", f"{word} three"), tenant="shared")
    await finds(service, f"q={word}", own, shared)
    await finds(service, f"q={word}", other, shared, tenant="elsewhere")
    await finds(service, f"q={word}", shared, tenant="nobody")
    cursor = (await search(service, f"q={word}&limit=1"))["next"]
    assert len((await search(service, f"q={word}&limit=1&after={cursor}"))["courses"]) == 1
    assert await refused(service, f"q={word}&after={cursor}", tenant="elsewhere") == (422, "after")
    assert await refused(service, f"q={word}x&after={cursor}") == (422, "after")
    assert await refused(service, f"after={cursor}") == (422, "after")


async def test_an_own_course_hides_the_shared_one_of_its_id(service: Started) -> None:
    word = unique("okapi").replace("-", "")
    await put(service, titled(word, f"{word} กลาง", f"{word} common"), tenant="shared")
    await put(service, titled(word, f"{word} ของเรา", f"{word} ours"))
    page = await finds(service, f"q={word}", word)
    await until(lambda: service.client.server.app[CONTEXT].search.index.hidden("agency"))  # type: ignore[attr-defined]
    page = await search(service, f"q={word}")
    assert (page["total"], page["courses"][0]["title"]["en"]) == (1, f"{word} ours")
    assert (await search(service, f"q={word}", tenant="nobody"))["courses"][0]["title"]["en"] == f"{word} common"


async def test_every_replica_finds_courses_stored_by_another(service: Started) -> None:
    word = unique("gecko").replace("-", "")
    async with started(build, service.settings) as second:  # type: ignore[arg-type]
        await put(second, titled(word, f"{word} ไทย", word))
        await finds(service, f"q={word}", word)
        await finds(second, f"q={word}", word)
    async with started(build, service.settings) as third:  # type: ignore[arg-type]
        await finds(third, f"q={word}", word)  # a new one reads the topic from its beginning


async def test_filters_of_a_search_work_and_invalid_ones_are_rejected(service: Started) -> None:
    word = unique("lemur").replace("-", "")
    await put(service, titled(f"{word}-a", f"{word} ก", word, hours=2.0, educational_level="beginner"))
    await put(service, titled(f"{word}-b", f"{word} ข", word, hours=20.0, provider={"th": "สถาบันลิง"}))
    await finds(service, f"q={word}", f"{word}-a", f"{word}-b")
    group = (await (await service.ask("GET", f"/v1/frameworks/{FRAMEWORK}")).json())["job_groups"][0]["id"]
    cases = {
        "max_hours=3": "a",
        "level=beginner": "a",
        "level=2": "ab",
        "level=2&skill=reading": "ab",
        "level=3&skill=reading": "",
        f"provider={quote('สถาบันลิง')}": "b",
        f"job_group={group}": "ab",
        f"job_group={group}&framework={FRAMEWORK}&skill=writing": "",
        "language=fr": "",
    }
    for query, names in cases.items():
        page = await search(service, f"q={word}&{query}")
        assert "".join(sorted(one["id"][-1] for one in page["courses"])) == names, query
    for query, field in {
        f"q={'a' * 201}": "q",
        "q=%00": "q",
        f"q={quote('ข้อ' + chr(0) + 'มูล')}": "q",
        "q=%1b[31m": "q",
        f"q={quote('ก' * 900)}": "q",
        "q=a&provider=%7f": "provider",
        "q=a&level=expert": "level",
        "q=a&level=-1": "level",
        "q=a&max_hours=0": "max_hours",
        "q=a&max_hours=many": "max_hours",
        "q=a&job_group=nobody": "job_group",
        f"q=a&job_group={group}&framework=none": "framework",
        "q=a&catalog_revision=1": "catalog_revision",
        "q=a&after=x": "after",
        "q=a&limit=501": "limit",
        "q=a&limit=0": "limit",
        "q=a&colour=red": "colour",
        "q=a&q=b": "q",
        "provider=": "provider",
        f"after={'a' * 65}": "after",
    }.items():
        assert await refused(service, query) == (422, field), query


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "\u0e48\u0e49",
        "\u0301",
        "😀👩‍👩‍👧",
        "العربية",
        "\u202eabc",
        "๑2๓",
        "ก",
        "a",
        "(.*)+$",
        "$where",
        "[[",
        "\\",
        "%",
        "_",
    ],
)
async def test_no_query_causes_a_server_error(service: Started, query: str) -> None:
    page = await search(service, f"q={quote(query)}")
    assert page["total"] >= len(page["courses"])


async def test_a_withdrawn_course_that_is_still_indexed_is_not_shown(service: Started) -> None:
    word = unique("tapir").replace("-", "")
    await put(service, titled(word, f"{word} ไทย", word))
    await finds(service, f"q={word}", word)
    replica = service.client.server.app[CONTEXT].search  # type: ignore[attr-defined]
    held = replica.index
    await service.ask("DELETE", f"/v1/courses/{word}", "admin")
    await until(lambda: replica.index is not held)
    replica.index = held
    page = await search(service, f"q={word}")
    assert (page["courses"], page["highlights"]) == ([], {})


async def test_a_caller_with_too_many_searches_is_rejected_and_others_are_answered(service: Started) -> None:
    key = [service.ask("GET", "/v1/courses?q=a", "officer", officer="greedy") for _ in range(40)]
    answers = [got.status for got in await asyncio.gather(*key)]
    assert set(answers) <= {200, 429, 503}
    assert (await service.ask("GET", "/v1/courses?q=a")).status == 200
