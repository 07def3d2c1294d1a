"""Recommendations without an officer and without storing, and what is refused by the name of its field."""

from functools import partial
from typing import Any

import pytest

from tests.support.builders import FRAMEWORK
from tests.support.recommender import READ, REQUEST, SHOWN, WRITE, courses_of, recommender
from tests.support.services import Started

SERVICE = partial(recommender, entries=(SHOWN, READ, WRITE))


async def test_a_recommendation_is_answered_and_not_stored(service: Started) -> None:
    levels = {"reading": 1, "writing": {"level": 2, "sd": 0.8}}
    plans = service.database("recommender")["plans"]
    before = await plans.count_documents({})
    answer = await service.ask("POST", "/v1/recommendations", json={**REQUEST, "levels": levels})
    body = await answer.json()
    assert answer.status == 200
    assert sorted(courses_of(body)) == ["read", "write"]
    assert set(body) == {"path", "request_id"}
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert [gap["level"] for gap in body["path"]["gaps"]] == [1, 2]
    assert await plans.count_documents({}) == before


async def test_a_recommendation_can_be_for_a_target_instead_of_a_job_group(service: Started) -> None:
    request_body = {"framework": FRAMEWORK, "target": {"writing": 2}, "levels": {"writing": 1}}
    body = await (await service.ask("POST", "/v1/recommendations", json=request_body)).json()
    assert courses_of(body) == ["write"]
    assert [gap["skill"] for gap in body["path"]["gaps"]] == ["writing"]


@pytest.mark.parametrize(
    "budget",
    [{"budget_hours": 4}, {"weekly_hours": 2, "deadline": "2026-12-07", "as_of": "2026-11-23"}],
    ids=["hours", "pace and deadline"],
)
async def test_hours_and_deadline_both_limit_the_path(service: Started, budget: dict[str, Any]) -> None:
    body = await (await service.ask("POST", "/v1/recommendations", json={**REQUEST, **budget})).json()
    assert body["path"]["budget_hours"] == 4
    assert body["path"]["hours"] == 4
    assert len(body["path"]["steps"]) == 1
    assert [gap["cause"] for gap in body["path"]["open"]] == ["budget"]


@pytest.mark.parametrize(
    ("changed", "status", "field"),
    [
        ({"framework": "nowhere"}, 422, "framework"),
        ({"job_group": "astronauts"}, 422, "job_group"),
        ({"job_group": None}, 422, "job_group"),
        ({"target": {"reading": 1}}, 422, "job_group"),
        ({"job_group": None, "target": {"flying": 1}}, 422, "target.flying"),
        ({"job_group": None, "target": {}}, 422, "target"),
        ({"stage": "first"}, 422, "stage"),
        ({"levels": {"flying": 1}}, 422, "levels.flying"),
        ({"job_group": None, "target": {"reading": 5.5}}, 422, "target.reading"),
        ({"levels": {"reading": -1}}, 422, "levels.reading"),
        ({"levels": {"reading": "much"}}, 422, "levels.reading"),
        ({"deadline": "2027-01-01"}, 422, "weekly_hours"),
        ({"weekly_hours": 2}, 422, "deadline"),
        ({"budget_hours": 4, "weekly_hours": 2, "deadline": "2027-01-01"}, 422, "budget_hours"),
        ({"budget_hours": 4, "weekly_hours": 2}, 422, "budget_hours"),
        ({"budget_hours": -1}, 422, "budget_hours"),
        ({"weekly_hours": 168.5, "deadline": "2027-01-01"}, 422, "weekly_hours"),
        ({"as_of": "tomorrow"}, 422, "as_of"),
        ({"wishes": []}, 422, "wishes"),
    ],
    ids=str,
)
async def test_an_invalid_recommendation_request_is_rejected_by_field(
    service: Started, changed: dict[str, Any], status: int, field: str
) -> None:
    request_body = {name: value for name, value in {**REQUEST, **changed}.items() if value is not None}
    answer = await service.ask("POST", "/v1/recommendations", json=request_body)
    problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem.get("field")) == (status, field), problem


async def test_invalid_json_and_too_large_bodies_are_rejected(service: Started) -> None:
    assert (await service.ask("POST", "/v1/recommendations", data=b'{"framework"')).status == 400
    assert (await service.ask("POST", "/v1/recommendations", data=b" " * 300_000)).status == 413


async def test_a_level_above_the_scale_counts_as_its_top(service: Started) -> None:
    for given in (5.5, {"level": 5.5, "sd": 0.2}):
        answer = await service.ask("POST", "/v1/recommendations", json={**REQUEST, "levels": {"reading": given}})
        assert answer.status == 200
        gaps = {gap["skill"]: gap for gap in (await answer.json())["path"]["gaps"]}
        assert gaps["reading"]["level"] == 5
