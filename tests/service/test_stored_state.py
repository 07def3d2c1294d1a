"""Readiness and a metric report a record that cannot be taken for long, whatever the lag is."""

import asyncio
from collections.abc import Sequence

import pytest

from services.recommender.consumer import ProfileConsumer
from shared.events import PROFILES_TOPIC
from shared.kafka import ConsumedEvent
from tests.support.recommender import READ, SHOWN, assessed, path_of, recommender, somebody
from tests.support.waiting import until


async def test_readiness_and_a_metric_report_a_record_held_for_too_long(
    mongodb_uri: str, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, held = asyncio.Event(), asyncio.Event()
    on_profiles = ProfileConsumer.on_profiles

    async def gated(consumer: ProfileConsumer, batch: Sequence[ConsumedEvent]) -> None:
        held.set()
        await gate.wait()
        await on_profiles(consumer, batch)

    monkeypatch.setattr(ProfileConsumer, "on_profiles", gated)
    officer = somebody(levels={"reading": 1})
    async with recommender(mongodb_uri, kafka_bootstrap, (SHOWN, READ), STALL_SECONDS="0") as service:
        await service.publish(PROFILES_TOPIC, assessed(officer))
        async with asyncio.timeout(90):
            await held.wait()
        answer = await service.ask("GET", "/readyz", None)
        check = (await answer.json())["checks"]["profiles"]
        assert answer.status == 503
        assert check.startswith(f"the same records of {service.settings.topic(PROFILES_TOPIC)} have been worked on for")
        metrics = await (await service.ask("GET", "/metrics", None)).text()
        [seconds] = [
            line.split()[1]
            for line in metrics.splitlines()
            if line.startswith("learning_path_consumer_stalled_seconds ")
        ]
        assert float(seconds) > 0
        gate.set()
        await path_of(service, officer)

        async def ready() -> bool:
            return (await service.ask("GET", "/readyz", None)).status == 200

        await until(ready)
