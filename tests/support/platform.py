"""An e-learning platform that records what the services accepted, also while they fail, and audits it afterwards.

Only a 2xx counts as accepted. After any other answer, or none, the platform sends the request again under the same
Idempotency-Key.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import msgspec
from pymongo import MongoClient

from deploy.local.keys import TENANT
from deploy.local.live import Message, messages
from deploy.local.replicas import Service
from deploy.local.seed import SEED, bearer
from deploy.local.stack import Stack
from services.recommender.feedback import Feedback, Statement
from shared.domain import key_of
from shared.errors import Overloaded, type_of
from shared.events import PATHS_TOPIC, PROFILES_TOPIC, Event, PathAnnounced
from shared.kafka import ConsumedEvent, Follower
from tests.support.builders import unique
from tests.support.waiting import WAIT_SECONDS, running, until

_BUSY = {502, 503, 504}
_FIRST = datetime(2026, 9, 1, tzinfo=UTC)
PROFILE: dict[str, Any] = {
    "job_group": "service",
    "agency": "agency-a",
    "framework": "th-digital-2018",
    "languages": ["th", "en"],
    "weekly_hours": 4,
}


def required(share: float) -> dict[str, float]:
    """Return levels at this share of what the job group requires."""
    framework: dict[str, Any] = json.loads((SEED / "frameworks" / f"{PROFILE['framework']}.json").read_bytes())
    rows = [row for row in framework["requirements"] if row["job_group"] == PROFILE["job_group"]]
    top = framework["scale"][-1]["level"]
    return {row["skill"]: min(top, row["level"] * share) for row in rows}


SKILLS = list(required(1))


class Platform:
    def __init__(self, stack: Stack, session: aiohttp.ClientSession) -> None:
        self.stack, self.session = stack, session
        self.refusals = 0
        """The requests that were sent again because what a service needs did not answer."""

    @property
    def portal(self) -> str:
        """The address of the first portal."""
        return self.stack.urls["portal"][0]

    async def ask(
        self, service: Service, method: str, path: str, *, key: str | None = "", **options: Any
    ) -> tuple[int, Any]:
        """Return status and JSON of one request; `key` "" is the platform's own, None is none.

        A request is sent again while the service is busy, which has done nothing for it, and while the database does
        not answer. In the latter case it may have been carried out, so a change may be answered as no change.
        """
        headers = {**options.pop("headers", {}), **({} if key is None else bearer(key or self.stack.keys.platform))}
        timeout = aiohttp.ClientTimeout(total=60)
        url = f"{self.stack.urls[service][0]}{path}"
        while True:
            async with self.session.request(method, url, headers=headers, timeout=timeout, **options) as answer:
                body = await answer.json(content_type=None) if await answer.read() else None
            if answer.status != 503 or not body or not _may_be_repeated(body):
                return answer.status, body
            self.refusals += body["type"] != type_of(Overloaded.kind)
            await asyncio.sleep(0.1)

    async def insist(self, service: Service, method: str, path: str, **options: Any) -> Any:
        """Return the JSON of a success; repeat the same request while a service is unreachable or busy."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                try:
                    status, body = await self.ask(service, method, path, **options)
                except (aiohttp.ClientError, TimeoutError, ConnectionError):
                    status, body = 503, None
                if status not in _BUSY:
                    assert 200 <= status < 300, (status, body)
                    return body
                self.refusals += 1
                await asyncio.sleep(0.1)

    async def live(self, officer: str, key: str = "", last_event_id: str = "") -> AsyncGenerator[Message, None]:
        """Yield the events of an officer's stream until it ends; open it again while the portal answers 503.

        `key`: by default the platform's own. `last_event_id`: as in `messages`.
        """
        while True:
            stream = messages(self.session, self.portal, officer, key or self.stack.keys.platform, last_event_id)
            async with aclosing(stream):
                try:
                    async for message in stream:
                        yield message
                except aiohttp.ClientResponseError as error:
                    if error.status != 503:
                        raise
                else:
                    return
            await asyncio.sleep(0.1)

    async def submit(self, officer: str, body: Any = None, *, key: str | None = "", **options: Any) -> tuple[int, Any]:
        """Submit an assessment once, and return status and JSON. `options` may hold `idempotency_key` and `data`."""
        headers = {"Idempotency-Key": options.pop("idempotency_key", "") or unique("submission")}
        given = options if "data" in options else {"json": body}
        return await self.ask(
            "assessment", "POST", f"/v1/officers/{officer}/assessments", key=key, headers=headers, **given
        )

    async def register(self) -> "Officer":
        """Return a new officer."""
        officer = Officer(self)
        await officer.register()
        return officer

    async def officers(self, count: int) -> list["Officer"]:
        """Return new officers."""
        return list(await asyncio.gather(*(self.register() for _ in range(count))))

    async def assess_during(self, officers: Sequence["Officer"], trouble: Awaitable[None]) -> None:
        """Assess everybody again and again until the trouble is over, and once more afterwards."""
        troubled = asyncio.ensure_future(trouble)

        async def again_and_again(officer: Officer) -> None:
            while not troubled.done():
                await officer.assess_next()
                await asyncio.sleep(0.2)
            await officer.assess_next()

        await asyncio.gather(troubled, *(again_and_again(officer) for officer in officers))

    @asynccontextmanager
    async def watching(self, officers: Iterable["Officer"]) -> AsyncIterator[dict[str, "Watcher"]]:
        """Keep a stream open for each officer, and return the watchers once each has seen a path."""
        watchers = {officer.name: Watcher(self, officer.name) for officer in officers}
        async with running(*watchers.values()):
            await until(lambda: all(watcher.paths for watcher in watchers.values()), "a first path on every stream")
            yield watchers

    # --- the audit ---------------------------------------------------------------------------------------------------

    async def audit(self, officers: Sequence["Officer"], watchers: dict[str, "Watcher"]) -> None:
        """Check that every accepted assessment is applied once and in order, in the stored path and on the stream."""
        for officer in officers:
            await officer.audit_evidence()
        stored = {officer.key: await officer.newest_path() for officer in officers}
        for officer in officers:
            if watcher := watchers.get(officer.name):
                await until(lambda: watcher.sequence == officer.sequence, f"{officer.name} on the stream")  # noqa: B023 - awaited in the same turn
                _in_order(watcher.paths)
        ends = {officer.key: officer.sequence for officer in officers}
        profiles = await self._announced(PROFILES_TOPIC, ends)
        paths = await self._announced(PATHS_TOPIC, {key: path["revision"] for key, path in stored.items()})
        for officer in officers:
            # Of profiles that wait the newest twenty are announced, of paths the newest: each is complete.
            assert profiles[officer.key][-1].sequence == officer.sequence
            events = paths[officer.key]
            assert events[-1].sequence == stored[officer.key]["revision"]
            made_from = [e.data.path.versions.profile for e in events if isinstance(e.data, PathAnnounced)]
            assert made_from == sorted(made_from)
            assert made_from[-1] == officer.sequence

    async def _announced(self, topic: str, ends: dict[str, int]) -> dict[str, list[Event]]:
        """Return the events of these subjects that a reader of the whole topic keeps: those newer than all before."""
        taken: dict[str, list[Event]] = {key: [] for key in ends}

        async def take(batch: Sequence[ConsumedEvent]) -> None:
            for item in batch:
                events = taken.get(item.event.subject)
                if events is not None and item.event.sequence > (events[-1].sequence if events else 0):
                    events.append(item.event)

        async with running(Follower(self.stack.broker.address, self.stack.namespace + topic, take)) as [task]:
            await until(
                lambda: task.done() or all(e and e[-1].sequence >= ends[key] for key, e in taken.items()), topic
            )
        return taken


class Officer:
    """One officer. `accepted`: {idempotency key: (body, assessment id, sequence)}. `levels`: {skill: measured ones}."""

    def __init__(self, platform: Platform, tenant: str = TENANT) -> None:
        self.platform, self.tenant = platform, tenant
        self.name = unique("officer")
        self.accepted: dict[str, tuple[dict[str, Any], str, int]] = {}
        self.levels: dict[str, list[float]] = {}
        self._platform_key = ""

    @property
    def key(self) -> str:
        """The key of the officer's events and documents."""
        return key_of(self.tenant, self.name)

    @property
    def sequence(self) -> int:
        """The profile's sequence: one for the registration, one for each assessment."""
        return 1 + len(self.accepted)

    async def api_key(self) -> str:
        """Return a new key of the officer's own."""
        return await self.platform.stack.issuer.issue(self.tenant, "officer", self.name)

    async def register(self, **changes: Any) -> None:
        """Register, or change what is registered."""
        await self._insist("assessment", "PUT", json=PROFILE | changes)

    async def assess(self, levels: dict[str, float], sd: float = 0.3) -> int:
        """Submit levels measured now, and return the profile's sequence. `accepted` and `levels` do not record them."""
        results = [{"skill": skill, "level": level, "sd": sd} for skill, level in levels.items()]
        return (await self._submit(unique(self.name), _assessment(results, datetime.now(UTC))))[1]

    async def assess_next(self, rounds: int = 1) -> None:
        """Submit assessments one after another, each of another skill, and record what is accepted."""
        for _ in range(rounds):
            number = len(self.accepted)
            skill, level = SKILLS[number % len(SKILLS)], 0.5 + (number % 30) / 10
            body = _assessment([{"skill": skill, "level": level}], _FIRST + timedelta(minutes=number))
            name = f"{self.name}-{number}"
            assessment, sequence = await self._submit(name, body)
            assert sequence == self.sequence + 1
            self.accepted[name] = body, assessment, sequence
            self.levels.setdefault(skill, []).append(level)

    async def give_feedback(self, course: str, action: str) -> None:
        headers = {"Idempotency-Key": unique(self.name)}
        await self._insist(
            "recommender", "POST", "/feedback", json={"course": course, "action": action}, headers=headers
        )

    def store_statements(self, statements: list[Statement]) -> None:
        """Write statements into the database as the officer's feedback; the path stays."""
        fields = {
            "feedback": msgspec.json.encode(Feedback(len(statements), statements)),
            "feedback_sequence": len(statements),
        }
        client: MongoClient[dict[str, Any]]
        stack = self.platform.stack
        with MongoClient(stack.mongodb.address) as client:
            client[f"{stack.namespace}recommender"]["plans"].update_one({"_id": self.key}, {"$set": fields})

    async def feedback(self) -> list[dict[str, Any]]:
        """Return the stored statements, oldest first."""
        found: list[dict[str, Any]] = (await self._insist("recommender", "GET", "/feedback"))["statements"]
        return found

    async def what_if(self, **wish: Any) -> dict[str, Any]:
        """Return the recommendation to this officer for other conditions, and the changes to the stored path."""
        body = {"compare_with": self.name, **wish}
        key = await self._key_of_platform()
        found: dict[str, Any] = await self.platform.insist(
            "recommender", "POST", "/v1/recommendations", json=body, key=key
        )
        return found

    async def is_planned(self) -> None:
        """Wait until the officer has a stored path that was made after an assessment."""

        async def is_so() -> bool:
            stored = await self.path_if_any()
            return stored is not None and stored["path"]["status"] == "ready"

        await until(is_so, f"a path of {self.name}")

    async def path(self) -> dict[str, Any]:
        """Return the stored path with its revision."""
        found: dict[str, Any] = await self._insist("recommender", "GET", "/path")
        return found

    async def newest_path(self) -> dict[str, Any]:
        """Return the stored path once it was made from the newest profile; check that it shows every accepted level."""
        stored: dict[str, Any] = await until(self._up_to_date, f"a path of {self.name}")
        shown = {gap["skill"]: gap["level"] for gap in stored["path"]["gaps"] if gap["assessed"]}
        assert shown.keys() == self.levels.keys()
        for skill, levels in self.levels.items():  # several measurements of one skill are fused into a level between
            assert min(levels) <= shown[skill] <= max(levels), (skill, shown[skill], levels)
        return stored

    async def path_if_any(self) -> dict[str, Any] | None:
        """Return the stored path, None if there is none or nobody answers."""
        address, key = f"/v1/officers/{self.name}/path", await self._key_of_platform()
        try:
            status, stored = await self.platform.ask("recommender", "GET", address, key=key)
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            return None
        return stored if status == 200 else None

    async def erase(self) -> None:
        await self._insist("assessment", "DELETE")

    async def audit_evidence(self) -> None:
        """Check that the assessment service holds exactly what it accepted, and that repeating it changes nothing."""
        profile = await self._insist("assessment", "GET")
        assert profile["sequence"] == self.sequence
        assessments = (await self._insist("assessment", "GET", "/assessments?limit=500"))["assessments"]
        assert sorted((one["profile_sequence"], one["assessment_id"]) for one in assessments) == sorted(
            (sequence, assessment) for _, assessment, sequence in self.accepted.values()
        )
        for name, (body, assessment, sequence) in self.accepted.items():
            assert await self._submit(name, body) == (assessment, sequence)

    async def _submit(self, idempotency_key: str, body: dict[str, Any]) -> tuple[str, int]:
        headers = {"Idempotency-Key": idempotency_key}
        answer = await self._insist("assessment", "POST", "/assessments", json=body, headers=headers)
        return answer["assessment_id"], answer["profile_sequence"]

    async def _up_to_date(self) -> dict[str, Any] | None:
        stored = await self.path_if_any()
        return stored if stored and stored["path"]["versions"]["profile"] == self.sequence else None

    async def _insist(self, service: Service, method: str, path: str = "", **options: Any) -> Any:
        key = await self._key_of_platform()
        return await self.platform.insist(service, method, f"/v1/officers/{self.name}{path}", key=key, **options)

    async def _key_of_platform(self) -> str:
        """Return a key of the role platform in the officer's tenant."""
        if self.tenant == TENANT:
            return self.platform.stack.keys.platform
        self._platform_key = self._platform_key or await self.platform.stack.issuer.issue(self.tenant, "platform")
        return self._platform_key


async def planned_officer(
    platform: Platform,
    levels: dict[str, float] | None = None,
    *,
    sd: float = 0.3,
    tenant: str = TENANT,
    **profile: Any,
) -> Officer:
    """Return a new officer who was assessed at these levels, by default at half of the requirement, and has a path."""
    officer = Officer(platform, tenant)
    await officer.register(**profile)
    await officer.assess(required(0.5) if levels is None else levels, sd)
    await officer.is_planned()
    return officer


class Watcher:
    """An open page of an officer. It reconnects to any portal that answers, with the last event id that it saw."""

    def __init__(self, platform: Platform, officer: str) -> None:
        self.paths: list[dict[str, Any]] = []
        self.connections = 0
        self._platform, self._officer = platform, officer
        self._last_id = ""

    @property
    def sequence(self) -> int:
        """The profile sequence of the newest path seen, 0 before the first."""
        return self.paths[-1]["path"]["versions"]["profile"] if self.paths else 0

    async def run(self) -> None:
        stack = self._platform.stack
        while True:
            url = stack.urls["portal"][self.connections % len(stack.urls["portal"])]
            stream = messages(self._platform.session, url, self._officer, stack.keys.platform, self._last_id)
            self.connections += 1
            try:
                async for message in stream:
                    if message.event == "path":
                        self.paths.append(message.data)
                        self._last_id = message.id
            except (aiohttp.ClientError, TimeoutError, ConnectionError):
                pass
            finally:
                await stream.aclose()
            await asyncio.sleep(0.1)


def _may_be_repeated(problem: dict[str, Any]) -> bool:
    return problem["type"] == type_of(Overloaded.kind) or str(problem["detail"]).startswith(
        "the database does not answer"
    )


def _assessment(results: list[dict[str, Any]], taken_at: datetime) -> dict[str, Any]:
    return {
        "framework": PROFILE["framework"],
        "kind": "test",
        "results": results,
        "taken_at": taken_at.isoformat(),
    }


def _in_order(paths: list[dict[str, Any]]) -> None:
    revisions = [path["revision"] for path in paths]
    assert revisions == sorted(set(revisions))
    sequences = [path["path"]["versions"]["profile"] for path in paths]
    assert sequences == sorted(sequences)
