"""Matchers are built when courses wait, shared between tenants, and dropped for others, on a real MongoDB."""

import asyncio
import time
import weakref
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from services.catalog import matcher_cache
from services.catalog import store as store_module
from services.catalog.match_store import MatchedCourse, MatchStore
from services.catalog.matcher_cache import MatcherCache
from services.catalog.matches import Match
from services.catalog.matching import Matcher
from services.catalog.matching.calibration import shipped
from services.catalog.matching_loop import MatchingLoop
from services.catalog.store import CatalogStore
from shared import outbox as outbox_module
from shared.domain import SHARED_TENANT, Framework, LocalizedText, Teaches
from tests.support.builders import course
from tests.support.crafts import GLASS, POTTERY, crafts, row
from tests.support.waiting import until


async def test_no_matcher_is_built_while_nothing_waits(
    stores: tuple[CatalogStore, MatchStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog_store, match_store = stores
    await catalog_store.put_course(None, SHARED_TENANT, course("c"), "")
    await catalog_store.put_framework(None, "agency", msgspec.convert(crafts("own", GLASS), Framework), "")
    read: list[str] = []

    async def framework(key: str) -> Framework | None:
        read.append(key)
        return await MatchStore.framework(match_store, key)

    monkeypatch.setattr(match_store, "framework", framework)
    await MatchingLoop(match_store, shipped()).once()
    assert "agency/framework:own" in read
    read.clear()
    await MatchingLoop(match_store, shipped()).once()
    assert read == []


async def test_matching_waits_for_an_import_during_its_first_minute(
    stores: tuple[CatalogStore, MatchStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "BULK_PAUSE_SECONDS", 3600.0)  # the import goes on
    catalog_store, _ = stores
    await catalog_store.put_courses("agency", {"run/1": course("c")}, "")
    waiting = asyncio.create_task(catalog_store.after_import(0.0))
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done, "the first minute is not over"
    waiting.cancel()
    monkeypatch.setattr(store_module, "BULK_FIRST_SECONDS", 0.0)
    await asyncio.wait_for(catalog_store.after_import(0.0), 60)


async def test_levels_are_estimated_again_where_another_replica_wrote_earlier_ones_meanwhile(
    stores: tuple[CatalogStore, MatchStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog_store, match_store = stores
    await catalog_store.put_framework(None, "one", msgspec.convert(crafts("own", GLASS), Framework), "")
    glass = msgspec.structs.replace(course("c"), title=LocalizedText(en="Glass blowing"))
    await catalog_store.put_course(None, "one", glass, "")
    loop = MatchingLoop(match_store, shipped())
    await loop.once()

    async def levels() -> list[tuple[float, float]]:
        found = await match_store.find("one", "c")
        return [(match.from_level, match.to_level) for match in found.matches] if found else []

    async def write(top: float, *, leveled: bool) -> None:
        found = await match_store.find("one", "c")
        assert found is not None
        rows = [msgspec.structs.replace(match, to_level=top) for match in found.matches]
        assert await MatchStore.propose(match_store, [(found, rows)], leveled=leveled) == 1

    estimated = await levels()
    assert estimated
    await write(3.9, leveled=False)

    async def too_late(changed: Sequence[tuple[MatchedCourse, list[Match]]], *, leveled: bool = False) -> int:
        if leveled:
            await write(3.8, leveled=True)
        return await MatchStore.propose(match_store, changed, leveled=leveled)

    with monkeypatch.context() as patched:
        patched.setattr(match_store, "propose", too_late)
        await loop.once()
    assert await levels() != estimated
    await loop.once()
    assert await levels() == estimated


async def test_tenants_share_the_matcher_of_a_framework_until_their_known_courses_differ(
    stores: tuple[CatalogStore, MatchStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog_store, match_store = stores
    shared = msgspec.convert(crafts("shared-crafts", GLASS), Framework)
    await catalog_store.put_framework(None, SHARED_TENANT, shared, "")
    cache = MatcherCache(match_store, shipped())
    one, other = [(await cache.of(tenant)).matchers["shared-crafts"] for tenant in ("one", "other")]
    assert one is other
    assert (await cache.of("one")).matchers["shared-crafts"] is one
    taught = msgspec.convert([row("shared-crafts", "glass", 0, 2)], list[Teaches])
    await catalog_store.put_course(None, "one", msgspec.structs.replace(course("c"), teaches=taught), "")
    monkeypatch.setattr(matcher_cache, "KEEP_SECONDS", -1.0)
    monkeypatch.setattr(matcher_cache, "KEEP_TIMES", -1)
    cache = MatcherCache(match_store, shipped())
    one, other = [(await cache.of(tenant)).matchers["shared-crafts"] for tenant in ("one", "other")]
    assert one is not other
    matcher = weakref.ref(one)
    del one, other
    cache.drop_unused()
    await until(lambda: matcher() is None, "the dropped matcher is freed")  # the thread that made it lets go later


async def test_matchers_of_other_tenants_are_dropped_before_one_is_made_that_needs_their_room(
    stores: tuple[CatalogStore, MatchStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog_store, match_store = stores
    for tenant in ("one", "other"):
        await catalog_store.put_framework(None, tenant, msgspec.convert(crafts("own", GLASS), Framework), "")
    monkeypatch.setattr(matcher_cache, "_KEPT_SKILLS", 1)
    cache = MatcherCache(match_store, shipped())
    first = weakref.ref((await cache.of("one")).matchers["own"])
    assert first() is not None
    alive: list[bool] = []

    class Watched(Matcher):
        def __init__(self, *given: Any) -> None:
            attempts = 500
            while first() is not None and (attempts := attempts - 1):
                time.sleep(0.02)  # the thread that made the first one lets go of it later
            alive.append(first() is not None)
            super().__init__(*given)

    monkeypatch.setattr(matcher_cache, "Matcher", Watched)
    assert (await cache.of("other")).matchers["own"].size == 1
    assert alive == [False]


async def test_a_new_version_of_a_framework_has_a_matcher_of_its_own(stores: tuple[CatalogStore, MatchStore]) -> None:
    catalog_store, match_store = stores
    first = await catalog_store.put_framework(None, "one", msgspec.convert(crafts("own", GLASS), Framework), "")
    cache = MatcherCache(match_store, shipped())
    assert (await cache.of("one")).matchers["own"].size == 1
    await catalog_store.put_framework(first, "one", msgspec.convert(crafts("own", GLASS, POTTERY), Framework), "")
    assert (await cache.of("one")).matchers["own"].size == 2
