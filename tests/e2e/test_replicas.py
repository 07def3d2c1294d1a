"""Replicas share the partitions, any portal serves any stream, and who comes or goes loses nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.replicas import Service
from deploy.local.stack import Stack
from tests.support.platform import PROFILE, Platform
from tests.support.waiting import until

PARTITIONS = 24


@pytest.fixture(scope="module", autouse=True)
async def second(stack: Stack) -> AsyncIterator[None]:
    """Run a second recommender and a second portal during these tests."""
    joined: tuple[Service, ...] = ("recommender", "portal")
    try:
        await asyncio.gather(*(stack.join(service) for service in joined))
        yield
    finally:
        for service in joined:
            while len(stack.running[service]) > 1:
                await stack.stop(service, len(stack.running[service]) - 1)
                stack.running[service].pop()


async def owned(platform: Platform) -> list[int]:
    """Return how many partitions each recommender owns."""
    found = []
    for url in platform.stack.urls["recommender"]:
        async with platform.session.get(f"{url}/metrics") as answer:
            families = text_string_to_metric_families(await answer.text())
            found += [int(f.samples[0].value) for f in families if f.name == "learning_path_consumer_owned_partitions"]
    return found


async def shared_out(platform: Platform) -> None:
    async def is_shared() -> bool:
        counts = await owned(platform)
        return sum(counts) == PARTITIONS and min(counts) > 0

    await until(is_shared, "every partition has an owner, and every recommender a partition")


async def test_replicas_share_the_partitions_and_joining_or_leaving_loses_nothing(
    stack: Stack, platform: Platform
) -> None:
    officers = await platform.officers(12)
    async with stack.restored(), platform.watching(officers) as watchers:
        await shared_out(platform)

        async def leave_and_come() -> None:
            await stack.stop("recommender", 0)
            await stack.stop("portal", 1)
            before = {officer.name: officer.sequence for officer in officers}
            await until(lambda: all(a.sequence > before[a.name] for a in officers), "assessments without them")
            await asyncio.gather(stack.start("recommender", 0), stack.start("portal", 1))

        await platform.assess_during(officers, leave_and_come())
        await shared_out(platform)
        await asyncio.gather(*(officer.assess_next() for officer in officers))
        await platform.audit(officers, watchers)


async def test_with_one_of_two_recommenders_killed_every_request_is_answered(stack: Stack, platform: Platform) -> None:
    officer = await platform.register()
    await until(officer.path_if_any, "a first path")
    request = {"framework": PROFILE["framework"], "job_group": PROFILE["job_group"]}
    stack.running["portal"].reverse()  # the second portal was started with the addresses of both recommenders
    try:
        for number in (0, 1):
            stack.kill("recommender", number)
            try:
                for _ in range(5):
                    path = f"/api/v1/officers/{officer.name}/path"
                    assert (await platform.ask("portal", "GET", path))[0] == 200
                    status, body = await platform.ask("portal", "POST", "/api/v1/recommendations", json=request)
                    assert status == 200, body
            finally:
                await stack.start("recommender", number)
    finally:
        stack.running["portal"].reverse()


async def test_every_portal_serves_every_stream(stack: Stack, platform: Platform) -> None:
    officers = await platform.officers(4)
    async with platform.watching(officers) as by_the_first:
        stack.running["portal"].reverse()
        try:
            async with platform.watching(officers) as by_the_second:
                await asyncio.gather(*(officer.assess_next(3) for officer in officers))
                await platform.audit(officers, by_the_first)
                await platform.audit(officers, by_the_second)
        finally:
            stack.running["portal"].reverse()
