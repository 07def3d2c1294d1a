"""Recomputes a stored path from its stored inputs, also after the catalog has changed.

    python -m services.recommender recompute OFFICER --tenant TENANT [--revision N] [--reference]

An operator's command: it reads the plan from the recommender's database, and courses and framework at that path's
`catalog_revision` from the catalog service, over HTTP with a temporary key that works for some minutes. With
`--reference` the readable rule (`reference/`) computes the path too.
"""

import argparse
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout

from services.recommender.inputs import ALGORITHM, inputs_for
from services.recommender.plan_pool import solve
from services.recommender.planner.index.catalog import Snapshot
from services.recommender.provenance import InputsRecord, hash_of, request_of
from services.recommender.reference import rule as reference
from services.recommender.rules import TenantRules
from services.recommender.store.history import ArchivedPlan
from services.recommender.store.plans import PlanStore
from shared.auth import issue
from shared.compact_paths import alternatives
from shared.console import say, where, whole_number
from shared.domain import SHARED_TENANT, Course, Framework, key_of, single_conditions
from shared.errors import NotFound, Problem, Unavailable
from shared.events import PathAnnounced, encode
from shared.mongo import KeyStore, connected
from shared.paths import LearningPath
from shared.settings import RecommenderSettings

_KEY_MINUTES = 10
_PAGE = 500


class _Page(msgspec.Struct):
    courses: list[Course]
    next: str | None = None


async def catalog_at(
    client: ClientSession, address: str, key: str, framework: str, revision: int
) -> tuple[list[Course], dict[str, Framework]]:
    """Return the courses that the key's tenant saw at a catalog revision, and frameworks at that revision by id.

    The frameworks are `framework`, and of those whose skills the courses require the ones that the catalog has. Raises
    NotFound if the catalog does not have the courses or `framework`, Unavailable if it cannot be reached.
    """

    async def get(path: str, **query: str) -> bytes:
        query |= {"catalog_revision": str(revision)}
        try:
            async with client.get(address + path, params=query, headers={"Authorization": f"Bearer {key}"}) as got:
                body = await got.read()
        except (ClientError, TimeoutError) as error:
            raise Unavailable(f"the catalog at {address} cannot be reached: {error}") from error
        if got.status != 200:  # noqa: PLR2004 - anything else is a refusal
            raise NotFound(f"the catalog answers {got.status} to {path}: {body[:300].decode(errors='replace')}")
        return body

    found = {framework: msgspec.json.decode(await get(f"/v1/frameworks/{framework}"), type=Framework)}
    courses: list[Course] = []
    after: str | None = ""
    while after is not None:
        page = msgspec.json.decode(await get("/v1/courses", limit=str(_PAGE), after=after), type=_Page)
        courses += page.courses
        after = page.next
    required = {one.framework for course in courses for one in single_conditions(course.requires) if one.framework}
    for other in sorted(required - {framework}):
        with suppress(NotFound):
            found[other] = msgspec.json.decode(await get(f"/v1/frameworks/{other}"), type=Framework)
    return courses, found


def compared(
    past: ArchivedPlan,
    record: InputsRecord,
    courses: list[Course],
    frameworks: Mapping[str, Framework],
    rules: TenantRules,
) -> list[str]:
    """Return the differences between the recomputed path and the stored bytes; empty if every byte is the same.

    `courses`, `frameworks`, `rules`: in the versions that `record` names. A changed hash of an input or another
    algorithm is a difference too.
    """
    differences = [
        f"{name}: the hash was {was}, it is {now}"
        for name, was, now in (
            ("profile", record.hashes.profile, hash_of(record.profile)),
            ("feedback", record.hashes.feedback, hash_of(record.feedback)),
            ("rules", record.hashes.rules, hash_of(rules)),
            ("framework", record.hashes.framework, hash_of(frameworks[record.profile.framework])),
        )
        if was != now
    ]
    if record.algorithm != ALGORITHM:
        differences.append(f"algorithm: it was {record.algorithm}, this program is {ALGORITHM}")
    revision = record.catalog_revision
    # As the tenant's own: for a profile that was written under the tenant's own, a shared one has not arrived.
    snapshot = Snapshot().changed({}, {record.profile.tenant: frameworks}, revision)
    view = snapshot.put_courses(SHARED_TENANT, courses, revision).view(record.profile.tenant)
    if difference := _difference(past, solve(request_of(record, rules), view).path):
        differences.append(difference)
    return differences


def by_reference(
    past: ArchivedPlan,
    record: InputsRecord,
    courses: list[Course],
    frameworks: Mapping[str, Framework],
    rules: TenantRules,
) -> list[str]:
    """Return the differences between the path of the readable rule and the stored bytes; empty if there are none.

    `courses`, `frameworks`, `rules`: in the versions that `record` names.
    """
    inputs = inputs_for(request_of(record, rules), frameworks[record.profile.framework])
    path = reference.recommend(inputs, courses, record.catalog_revision, frameworks)
    difference = _difference(past, msgspec.structs.replace(path, versions=past.event.path.versions))
    return [f"by the reference, {difference}"] if difference else []


def _difference(past: ArchivedPlan, path: LearningPath) -> str | None:
    """Return how a path differs from the stored bytes."""
    again = encode(PathAnnounced.of(msgspec.structs.replace(past.event, path=path)))
    others = msgspec.json.encode(alternatives(path))
    for stored, found in ((past.path, again), (past.alternatives, others)):
        if stored != found:
            return first_difference(msgspec.json.decode(stored), msgspec.json.decode(found)) or "the bytes"
    return None


def first_difference(stored: Any, found: Any, place: str = "") -> str | None:
    """Return where and how two JSON documents first differ; None if they do not."""
    if isinstance(stored, dict) and isinstance(found, dict):
        for name in [*stored, *(name for name in found if name not in stored)]:
            absent = object()
            one, other = stored.get(name, absent), found.get(name, absent)
            here = f"{place}.{name}".lstrip(".")
            if one is absent or other is absent:
                return f"{here}: only in the {'path computed again' if one is absent else 'stored path'}"
            if difference := first_difference(one, other, here):
                return difference
        return None
    if isinstance(stored, list) and isinstance(found, list):
        for i, (one, other) in enumerate(zip(stored, found, strict=False)):
            if difference := first_difference(one, other, f"{place}[{i}]"):
                return difference
        return None if len(stored) == len(found) else f"{place}: {len(stored)} entries were stored, {len(found)} found"
    same = stored == found and type(stored) is type(found)
    return None if same else f"{place}: stored {stored!r}, computed again {found!r}"


async def recompute(
    settings: RecommenderSettings, tenant: str, officer: str, revision: int | None, *, readable: bool = False
) -> tuple[str, bool]:
    """Return the result of recomputing a stored path as a sentence, and whether every byte is the same.

    `readable`: also by the readable rule. Raises NotFound if that path, its rules or its catalog are no longer stored;
    Unavailable.
    """
    with connected(settings, "recompute") as mongodb:
        store = PlanStore(mongodb[settings.database("recommender")])
        past = await store.history.find(key_of(tenant, officer), revision)
        if past is None:
            raise NotFound(f"no path of {officer} {'' if revision is None else f'of revision {revision} '}is kept")
        event, record = past.event, past.record
        name = f"{officer}, revision {event.revision}"
        if record is None:
            return f"{name}: waits for its framework", True
        rules = await store.rules.find(tenant, record.rules_version)
        if rules is None:
            raise NotFound(f"version {record.rules_version} of the rules of {tenant} is not kept")
        async with (
            _key(settings, KeyStore(mongodb, settings), tenant) as key,
            ClientSession(timeout=ClientTimeout(total=120)) as client,
        ):
            courses, frameworks = await catalog_at(
                client, settings.catalog_url[0], key, record.profile.framework, record.catalog_revision
            )
    differences = compared(past, record, courses, frameworks, rules)
    if readable := readable and event.path.status != "refused":  # the planner computes no refused path
        differences += by_reference(past, record, courses, frameworks, rules)
    made_from = f"catalog {record.catalog_revision}, framework {record.framework}, algorithm {record.algorithm}"
    if differences:
        return f"{name} ({made_from}): different\n  " + "\n  ".join(differences), False
    also = ", by the reference too" if readable else ""
    return f"{name} ({made_from}): same{also}, {len(past.path)} bytes", True


@asynccontextmanager
async def _key(settings: RecommenderSettings, keys: KeyStore, tenant: str) -> AsyncIterator[str]:
    """Yield a key that reads the catalog as the tenant sees it, and is revoked afterwards."""
    ends = datetime.now(UTC) + timedelta(minutes=_KEY_MINUTES)
    credential, stored = issue(settings.api_key_pepper, tenant, "platform", expires_at=ends)
    await keys.create(stored)
    try:
        yield credential
    finally:
        await keys.revoke(stored.key_id)


def parsed(arguments: list[str]) -> argparse.Namespace:
    """Return the arguments of the command line: officer, tenant, revision, whether to use the readable rule too."""
    parser = argparse.ArgumentParser(prog="python -m services.recommender recompute", description=recompute.__doc__)
    parser.add_argument("officer")
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--revision", type=whole_number(1), help="a past one; without: the present path")
    parser.add_argument("--reference", action="store_true", help="also by the rule in plain Python")
    return parser.parse_args(arguments)


async def command(settings: RecommenderSettings, arguments: list[str]) -> int:
    """Print the result and return the exit code: 0 for the same path, 1 for a different one, 2 for a failure."""
    args = parsed(arguments)
    try:
        sentence, same = await recompute(settings, args.tenant, args.officer, args.revision, readable=args.reference)
    except Problem as problem:
        say(f"recompute: {where(problem.field)}{problem.detail}")
        return 2
    say(sentence)
    return 0 if same else 1
