"""`:impact` counts the officers whose required levels change when the draft is published, and no others."""

from typing import Any

import pytest

from services.catalog.api.context import CONTEXT
from tests.support.all_services import Services
from tests.support.builders import unique
from tests.support.waiting import until

PLACES = [
    ("clerks", None, "north"),
    ("clerks", "senior", "south"),
    ("desk", None, "north"),
    ("desk", "senior", "south"),
]
FIRST: dict[str, dict[str, float]] = {
    "clerks": {"write": 2, "count": 3},
    "desk": {"write": 1, "count": 1, "speak": 2},
    "desk/senior": {"speak": 4},
}


def version(name: str, required: dict[str, dict[str, float]], **more: Any) -> dict[str, Any]:
    """Return a framework; `required`: {job group or `job group/stage`: {skill: level}}."""
    skills = list(dict.fromkeys(skill for row in required.values() for skill in row))
    rows = []
    for place, levels in required.items():
        group, _, stage = place.partition("/")
        where = {"job_group": group, "stage": stage} if stage else {"job_group": group}
        rows += [{**where, "skill": skill, "level": level} for skill, level in levels.items()]
    return {
        "id": name,
        "title": {"en": "A framework that changes"},
        "scale": [{"level": level, "title": {"en": f"Level {level}"}} for level in range(5)],
        "areas": [{"id": "a", "title": {"en": "Area"}}],
        "skills": [{"id": skill, "area": "a", "title": {"en": skill}} for skill in skills],
        "job_groups": [
            {"id": group, "title": {"en": group}} for group in dict.fromkeys(row["job_group"] for row in rows)
        ],
        "stages": [{"id": "senior", "title": {"en": "Senior"}}],
        "requirements": rows,
        **more,
    }


def mapped(origin: str, target: str, **more: Any) -> dict[str, Any]:
    return {"origin": origin, "target": target, **more}


NEXT: dict[str, tuple[int, dict[str, dict[str, float]], dict[str, Any]]] = {
    "a level is raised": (2, FIRST | {"clerks": {"write": 3, "count": 3}}, {}),
    "a level is lowered": (1, FIRST | {"desk": {"write": 1, "count": 1, "speak": 1}}, {}),
    "a level of a stage changes": (1, FIRST | {"desk/senior": {"speak": 3}}, {}),
    "a stage gets its own level": (1, FIRST | {"clerks/senior": {"write": 3}}, {}),
    "a stage gets the level that it had": (0, FIRST | {"clerks/senior": {"write": 2}}, {}),
    "the level of a stage becomes that of every stage": (
        1,
        {"clerks": FIRST["clerks"], "desk": {"write": 1, "count": 1, "speak": 4}},
        {},
    ),
    "a stage ends": (1, {"clerks": FIRST["clerks"], "desk": FIRST["desk"]}, {"stages": []}),
    "a stage ends without requirements at every stage": (
        3,
        {"clerks/junior": FIRST["clerks"], "desk": FIRST["desk"]},
        {"stages": [{"id": "junior", "title": {"en": "Junior"}}]},
    ),
    "a skill is new": (2, FIRST | {"desk": {"write": 1, "count": 1, "speak": 2, "listen": 1}}, {}),
    "a skill is removed": (
        4,
        {"clerks": {"write": 2}, "desk": {"write": 1, "speak": 2}, "desk/senior": {"speak": 4}},
        {},
    ),
    "a job group is removed": (2, {"desk": FIRST["desk"], "desk/senior": FIRST["desk/senior"]}, {}),
    "a job group has another name": (
        0,
        {"office": FIRST["clerks"], "desk": FIRST["desk"], "desk/senior": FIRST["desk/senior"]},
        {"mappings": [mapped("clerks", "office", of="job_group")]},
    ),
    "a job group becomes a part of another one": (
        2,
        {"desk": FIRST["desk"], "desk/senior": FIRST["desk/senior"]},
        {"mappings": [mapped("clerks", "desk", of="job_group")]},
    ),
    "a skill has another name": (
        4,
        FIRST | {"clerks": {"write": 2, "reckon": 3}, "desk": {"write": 1, "speak": 2}},
        {"mappings": [mapped("count", "reckon")]},
    ),
    "two skills become one": (
        4,
        {"clerks": {"office": 3}, "desk": {"office": 1, "speak": 2}, "desk/senior": {"speak": 4}},
        {"mappings": [mapped("write", "office", kind="broader"), mapped("count", "office", kind="broader")]},
    ),
    "a skill is divided": (
        2,
        {"clerks": FIRST["clerks"], "desk": {"write": 1, "count": 1, "greet": 2, "answer": 2}},
        {"mappings": [mapped("speak", "greet", kind="partial"), mapped("speak", "answer", kind="partial")]},
    ),
    "only a text changes": (0, FIRST, {"title": {"en": "The same levels"}}),
}


@pytest.fixture(autouse=True)
def counter(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    address = str(services["assessment"].client.make_url("")).rstrip("/")
    monkeypatch.setattr(services["catalog"].client.app[CONTEXT].officers, "_addresses", [address])


async def asked(services: Services, service: str, method: str, path: str, **more: Any) -> Any:
    got = await services[service].ask(method, f"/v1/{path}", "admin", **more)
    assert got.status < 300, (path, await got.text())
    return await got.json()


async def draft(services: Services, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Propose a version and return its impact."""
    proposal = {"framework": body, "by": "S. Wongsuwan"}
    await asked(services, "catalog", "PUT", f"frameworks/{body['id']}/draft", json=proposal, **more)
    impact: dict[str, Any] = await asked(services, "catalog", "GET", f"frameworks/{body['id']}:impact", **more)
    return impact


async def publish(services: Services, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    put: dict[str, Any] = await asked(services, "catalog", "PUT", f"frameworks/{body['id']}", json=body, **more)
    return put


async def registered(services: Services, name: str, place: tuple[str, str | None, str], **more: Any) -> str:
    officer = unique("officer")
    job_group, stage, agency = place
    body = {"job_group": job_group, "agency": agency, "framework": name} | ({"stage": stage} if stage else {})

    async def done() -> bool:
        got = await services["assessment"].ask("PUT", f"/v1/officers/{officer}", json=body, **more)
        return got.status < 300

    await until(done)
    return officer


async def required(services: Services, officer: str) -> dict[str, tuple[float, float]] | None:
    """Return {skill: (level, weight)} that the officer's present path is for; None if it is refused."""

    async def found() -> dict[str, Any] | None:
        got = await services["recommender"].ask("GET", f"/v1/officers/{officer}/path")
        path: dict[str, Any] | None = (await got.json())["path"] if got.status == 200 else None
        return path

    path: dict[str, Any] = await until(found)
    if path["status"] == "refused":
        return None
    return {gap["skill"]: (gap["required"], gap["weight"]) for gap in path["gaps"]}


@pytest.mark.parametrize("shape", NEXT)
async def test_the_impact_counts_the_officers_whose_requirements_then_change(services: Services, shape: str) -> None:
    name = unique("fw")
    await publish(services, version(name, FIRST))
    officers = [await registered(services, name, place) for place in PLACES]
    before = [await required(services, officer) for officer in officers]
    count, levels, more = NEXT[shape]
    after = version(name, levels, **more)
    assert (await draft(services, after))["officers"] == count
    assert (await publish(services, after))["officers"] == count

    async def have_changed() -> bool:
        now = [await required(services, officer) for officer in officers]
        return sum(had != has for had, has in zip(before, now, strict=True)) == count

    await until(have_changed)


async def test_officers_of_a_former_job_group_count_in_its_successor(services: Services) -> None:
    name = unique("fw")
    await publish(services, version(name, FIRST))
    officer = await registered(services, name, PLACES[0])
    rest = {"desk": FIRST["desk"], "desk/senior": FIRST["desk/senior"]}
    mappings = [mapped("clerks", "office", of="job_group")]
    await publish(services, version(name, {"office": {"write": 2}, **rest}, mappings=mappings))
    assert await required(services, officer) is not None
    after = version(name, {"office": {"write": 3}, **rest}, mappings=mappings)
    assert (await draft(services, after))["officers"] == 1
    assert (await publish(services, after))["officers"] == 1

    async def has_changed() -> bool:
        return await required(services, officer) == {"write": (3, 1)}

    await until(has_changed)


async def test_a_shared_version_concerns_no_officers_of_a_tenant_with_its_own(services: Services) -> None:
    name = unique("fw")
    shared = {"tenant": "shared"}
    await publish(services, version(name, FIRST), **shared)
    officer = await registered(services, name, PLACES[0])
    raised = version(name, FIRST | {"clerks": {"write": 4, "count": 4}})
    assert (await draft(services, raised, **shared))["officers"] == 1
    own = version(name, FIRST | {"clerks": {"write": 3, "count": 3}})
    assert (await draft(services, own))["officers"] == 1
    await publish(services, own)

    async def counted() -> bool:  # once the assessment service has read that the tenant has its own
        impact = await asked(services, "catalog", "GET", f"frameworks/{name}:impact", **shared)
        return bool(impact["officers"] == 0)

    await until(counted)
    assert (await publish(services, raised, **shared))["officers"] == 0
    latest = version(name, FIRST | {"clerks": {"write": 3, "count": 2}})
    assert (await draft(services, latest))["officers"] == 1
    await publish(services, latest)

    async def has_changed() -> bool:
        return await required(services, officer) == {"write": (3, 1), "count": (2, 1)}

    await until(has_changed)
