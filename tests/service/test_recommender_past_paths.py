"""The paths that an officer was given: the present one and those before it, and who may read them."""

from typing import Any

import msgspec
import pytest

from services.recommender.api.context import CONTEXT
from services.recommender.store.history import RETAINED_REVISIONS
from shared import events
from shared.domain import Profile
from shared.events import PROFILES_TOPIC, OfficerErased
from tests.support.recommender import READ, assessed, give_feedback, path_of, planned, recommender, somebody
from tests.support.services import Started
from tests.support.waiting import until

SERVICE = recommender


async def paths(service: Started, one: Profile, query: str = "", **options: Any) -> tuple[int, dict[str, Any]]:
    options = {"role": "officer", "officer": one.officer, "tenant": one.tenant} | options
    role = options.pop("role")
    answer = await service.ask("GET", f"/v1/officers/{one.officer}/paths{query}", role, **options)
    return answer.status, await answer.json()


async def test_past_paths_are_listed_newest_first_with_their_figures(service: Started) -> None:
    one = somebody()
    assert (await paths(service, one))[0] == 404
    await planned(service, one)
    first = await path_of(service, one)
    assert (await give_feedback(service, one, READ.id, "completed"))[0] == 200
    last = await path_of(service, one)
    assert last["revision"] > first["revision"]
    status, found = await paths(service, one)
    assert (status, found["officer"], found["next"]) == (200, one.officer, None)
    expected = [
        {
            "revision": stored["revision"],
            "cause": cause,
            "planned_at": stored["planned_at"],
            "status": stored["path"]["status"],
            "coverage": stored["path"]["coverage"],
            "hours": stored["path"]["hours"],
            "steps": [
                {name: step["course"][key] for name, key in (("course", "id"), ("title", "title"), ("hours", "hours"))}
                for step in stored["path"]["steps"]
            ],
        }
        for stored, cause in ((last, "feedback"), (first, "assessment"))
    ]
    assert found["paths"] == expected
    assert READ.id not in [step["course"] for step in found["paths"][0]["steps"]]
    assert READ.id in [step["course"] for step in found["paths"][1]["steps"]]


async def test_listing_paths_decodes_only_what_it_shows(service: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page holds up to 51 paths of up to a megabyte, and is read on the event loop."""
    one = somebody()
    await planned(service, one)
    assert (await give_feedback(service, one, READ.id, "not_now"))[0] == 200
    expected = await paths(service, one)
    monkeypatch.setattr(events, "expanded", unwanted)
    assert await paths(service, one) == expected
    assert len(expected[1]["paths"]) == 2


def unwanted(*_: Any) -> None:
    raise AssertionError("a whole path was made")


async def test_paging_lists_every_stored_revision_once(service: Started) -> None:
    one = somebody()
    await planned(service, one)
    for _ in range(2):
        for action in ("not_now", "undo"):
            assert (await give_feedback(service, one, READ.id, action))[0] == 200
    newest = (await path_of(service, one))["revision"]
    whole = [path["revision"] for path in (await paths(service, one))[1]["paths"]]
    assert whole == sorted(whole, reverse=True)
    assert whole[0] == newest
    assert len(whole) == len(set(whole)) == 5
    found: list[int] = []
    after: int | None = None
    while not found or after is not None:
        _, page = await paths(service, one, f"?limit=2{'' if after is None else f'&after={after}'}")
        found += [path["revision"] for path in page["paths"]]
        after = page["next"]
    assert found == whole
    assert (await paths(service, one, f"?after={whole[-1]}"))[1]["paths"] == []
    assert [path["revision"] for path in (await paths(service, one, f"?after={newest + 9}"))[1]["paths"]] == whole
    for wrong in ("limit=0", "limit=101", "limit=x", "after=-1", "before=3", "after=9223372036854775808"):
        status, problem = await paths(service, one, f"?{wrong}")
        assert status in (400, 422), wrong
        assert problem["field"] == wrong.partition("=")[0]


async def test_a_current_path_that_is_already_archived_is_listed_once(service: Started) -> None:
    one = somebody()
    await planned(service, one)
    store = service.client.app[CONTEXT].store
    await store.history.archive([one.key])  # as by a writer that lost a race
    assert len((await paths(service, one))[1]["paths"]) == 1
    page = await store.history.page(one.key, None, RETAINED_REVISIONS)
    assert page is not None
    assert len(page) == 1


async def test_past_paths_are_private_and_deleted_by_an_erasure(service: Started) -> None:
    one, other = somebody(), somebody()
    await planned(service, one, other)
    assert (await give_feedback(service, one, READ.id, "not_now"))[0] == 200
    assert (await paths(service, one, role="platform", officer=None))[0] == 200
    assert (await paths(service, one, officer=other.officer))[0] in (403, 404)
    assert (await paths(service, one, role="platform", officer=None, tenant="elsewhere"))[0] == 404
    gone = (one.key, one.sequence + 1, OfficerErased(one.tenant, one.officer))
    await service.publish(PROFILES_TOPIC, gone)

    async def erased() -> bool:
        return (await paths(service, one, role="platform", officer=None))[0] == 404

    await until(erased)
    again = msgspec.structs.replace(one, sequence=one.sequence + 2)
    await service.publish(PROFILES_TOPIC, assessed(again))
    await path_of(service, again)
    assert len((await paths(service, again, role="platform", officer=None))[1]["paths"]) == 1
