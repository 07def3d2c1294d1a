"""Questions about one course, and what a what-if changes: on real servers."""

from tests.support.recommender import planned, recommender, somebody
from tests.support.services import Started

SERVICE = recommender


async def test_what_if_lists_the_changes(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    body = {"compare_with": officer.officer, "budget_hours": 1}
    got = await service.ask("POST", "/v1/recommendations", json=body)
    assert got.status == 200
    assert (await got.json())["changes"]


async def test_why_not_gives_a_reason_for_a_course(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    path = f"/v1/officers/{officer.officer}/path/why-not"
    got = await service.ask("GET", f"{path}/read-long")
    assert got.status == 200
    answered = await got.json()
    assert answered["revision"] == 1
    assert answered["reason"]["th"]
    assert answered["reason"]["en"]
    assert (await service.ask("GET", f"{path}/unheard-of")).status == 404
    assert (await service.ask("GET", f"{path}/read-long", tenant="stranger")).status == 404
    assert (await service.ask("GET", f"{path}/read-long", "officer", officer="else")).status == 404


async def test_similar_courses_are_listed(service: Started) -> None:
    got = await service.ask("GET", "/v1/courses/read/similar?limit=2")
    assert got.status == 200
    first = (await got.json())["similar"][0]
    assert (first["course"]["id"], first["similarity"]) == ("read-long", 1)
    assert (await service.ask("GET", "/v1/courses/unheard-of/similar")).status == 404
    assert (await service.ask("GET", "/v1/courses/read/similar?limit=0")).status == 422
