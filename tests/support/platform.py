"""An e-learning platform that keeps account of what was accepted, however the services fare, and audits it afterwards.

Only a 2xx counts. Whatever else comes, no answer included, the platform asks again under the same Idempotency-Key.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from deploy.local.keys import TENANT
from deploy.local.live import messages
from deploy.local.replicas import Service
from deploy.local.seed import bearer, sample_officers
from deploy.local.stack import Stack
from shared.events import PATHS_TOPIC, PROFILES_TOPIC, Event, PathRecommended
from shared.kafka import Follower, Received
from shared.skills import key_of

PATIENCE = 120
"""Seconds until a wait is a failure: far more than any takes on a busy machine."""
_BUSY = {502, 503, 504}
_FIRST = datetime(2026, 9, 1, tzinfo=UTC)
_numbers = itertools.count(1)
_sample = sample_officers()[0]
PROFILE: dict[str, Any] = {**_sample["profile"], "framework": _sample["assessment"]["framework"]}
SKILLS: list[str] = [result["skill"] for result in _sample["assessment"]["results"]]


@dataclass
class Account:
    """One officer: what was accepted (idempotency key -> body, assessment id, sequence), and the levels now."""

    officer: str
    accepted: dict[str, tuple[dict[str, Any], str, int]] = field(default_factory=dict)
    levels: dict[str, float] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return key_of(TENANT, self.officer)

    @property
    def sequence(self) -> int:
        """The profile's sequence: one for the registration, one for each assessment."""
        return 1 + len(self.accepted)


class Watcher:
    """A page that somebody keeps open: it comes back with the last id it saw, to whichever portal answers."""

    def __init__(self, platform: "Platform", officer: str) -> None:
        self.paths: list[dict[str, Any]] = []
        self.connections = 0
        self._platform, self._officer = platform, officer
        self._last_id = ""

    @property
    def sequence(self) -> int:
        """The profile sequence of the newest path seen, 0 before the first."""
        return self.paths[-1]["path"]["versions"]["profile"] if self.paths else 0

    async def watch(self) -> None:
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


class Platform:
    def __init__(self, stack: Stack, session: aiohttp.ClientSession) -> None:
        self.stack, self.session = stack, session
        self.refusals = 0

    async def ask(
        self, service: Service, method: str, path: str, *, key: str | None = "", **options: Any
    ) -> tuple[int, Any]:
        """Return status and JSON of one request; `key` "" is the platform's own, None is none."""
        headers = {**options.pop("headers", {}), **({} if key is None else bearer(key or self.stack.keys.platform))}
        timeout = aiohttp.ClientTimeout(total=15)
        url = f"{self.stack.urls[service][0]}{path}"
        async with self.session.request(method, url, headers=headers, timeout=timeout, **options) as answer:
            return answer.status, await answer.json(content_type=None) if await answer.read() else None

    async def insist(self, service: Service, method: str, path: str, **options: Any) -> Any:
        """Return the JSON of a success; where a service is away or busy, ask again the very same."""
        async with asyncio.timeout(PATIENCE):
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

    async def register(self) -> Account:
        """Return a new officer."""
        account = Account(f"e2e-{next(_numbers)}")
        answer = await self.insist("assessment", "PUT", f"/v1/officers/{account.officer}", json=PROFILE)
        assert answer["profile_sequence"] == 1
        return account

    async def assess(self, account: Account, rounds: int = 1) -> None:
        """Submit assessments one after another, each of another skill, and book what is accepted."""
        for _ in range(rounds):
            number = len(account.accepted)
            skill, level = SKILLS[number % len(SKILLS)], 0.5 + (number % 30) / 10
            body = {
                "framework": PROFILE["framework"],
                "kind": "test",
                "results": [{"skill": skill, "level": level}],
                "taken_at": (_FIRST + timedelta(minutes=number)).isoformat(),
            }
            name = f"{account.officer}-{number}"
            assessment, sequence = await self._submit(account, name, body)
            assert sequence == account.sequence + 1
            account.accepted[name] = body, assessment, sequence
            account.levels[skill] = level

    async def _submit(self, account: Account, name: str, body: dict[str, Any]) -> tuple[str, int]:
        path = f"/v1/officers/{account.officer}/assessments"
        answer = await self.insist("assessment", "POST", path, json=body, headers={"Idempotency-Key": name})
        return answer["assessment_id"], answer["profile_sequence"]

    @asynccontextmanager
    async def watching(self, accounts: Iterable[Account]) -> AsyncIterator[dict[str, Watcher]]:
        """Keep a stream open for each officer, and return the watchers once each has seen a path."""
        watchers = {account.officer: Watcher(self, account.officer) for account in accounts}
        tasks = [asyncio.create_task(watcher.watch()) for watcher in watchers.values()]
        try:
            await until(lambda: all(watcher.paths for watcher in watchers.values()), "a first path on every stream")
            yield watchers
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # --- the audit ---------------------------------------------------------------------------------------------------

    async def audit(self, accounts: Sequence[Account], watchers: dict[str, Watcher]) -> None:
        """Find every accepted assessment applied once, in order, in a stored path and on the stream."""
        for account in accounts:
            await self._audit_evidence(account)
        stored = {account.key: await self._stored(account) for account in accounts}
        for account in accounts:
            if watcher := watchers.get(account.officer):
                await until(lambda: watcher.sequence == account.sequence, f"{account} on the stream")  # noqa: B023
                _in_order(watcher.paths)
        ends = {account.key: account.sequence for account in accounts}
        profiles = await self._announced(PROFILES_TOPIC, ends)
        paths = await self._announced(PATHS_TOPIC, {key: path["revision"] for key, path in stored.items()})
        for account in accounts:
            # Of a long outage only the newest twenty profiles of an officer are announced: each says all.
            assert profiles[account.key][-1].sequence == account.sequence
            events = paths[account.key]
            assert [event.sequence for event in events] == list(range(1, stored[account.key]["revision"] + 1))
            made_from = [e.data.path.versions.profile for e in events if isinstance(e.data, PathRecommended)]
            assert made_from == sorted(made_from)
            assert made_from[-1] == account.sequence

    async def _audit_evidence(self, account: Account) -> None:
        path = f"/v1/officers/{account.officer}"
        profile = await self.insist("assessment", "GET", path)
        assert profile["sequence"] == account.sequence
        kept = (await self.insist("assessment", "GET", f"{path}/assessments?limit=500"))["assessments"]
        assert sorted((one["profile_sequence"], one["assessment_id"]) for one in kept) == sorted(
            (sequence, assessment) for _, assessment, sequence in account.accepted.values()
        )
        for name, (body, assessment, sequence) in account.accepted.items():
            assert await self._submit(account, name, body) == (assessment, sequence)

    async def _stored(self, account: Account) -> dict[str, Any]:
        """Return the stored path once it was made from the newest profile; it shows every level accepted."""
        async with asyncio.timeout(PATIENCE):
            while True:
                stored = await self.path(account)
                if stored is not None and stored["path"]["versions"]["profile"] == account.sequence:
                    break
                await asyncio.sleep(0.1)
        shown = {gap["skill"]: gap["level"] for gap in stored["path"]["gaps"] if gap["assessed"]}
        assert shown == account.levels
        return stored

    async def path(self, account: Account) -> dict[str, Any] | None:
        """Return the stored path, None where there is none or nobody answers."""
        try:
            status, stored = await self.ask("recommender", "GET", f"/v1/officers/{account.officer}/path")
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            return None
        return stored if status == 200 else None

    async def _announced(self, topic: str, ends: dict[str, int]) -> dict[str, list[Event]]:
        """Return what a reader of a whole topic takes of these subjects: what is newer than all before it."""
        taken: dict[str, list[Event]] = {key: [] for key in ends}

        async def take(batch: Sequence[Received]) -> None:
            for item in batch:
                events = taken.get(item.event.subject)
                if events is not None and item.event.sequence > (events[-1].sequence if events else 0):
                    events.append(item.event)

        follower = Follower(self.stack.broker.address, self.stack.namespace + topic, take)
        task = asyncio.create_task(follower.run())
        try:
            await until(
                lambda: task.done() or all(e and e[-1].sequence >= ends[key] for key, e in taken.items()), topic
            )
        finally:
            task.cancel()
            await asyncio.wait({task})
        return taken


def _in_order(paths: list[dict[str, Any]]) -> None:
    revisions = [path["revision"] for path in paths]
    assert revisions == sorted(set(revisions))
    sequences = [path["path"]["versions"]["profile"] for path in paths]
    assert sequences == sorted(sequences)


async def until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait for something to be so; say what has not come."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise AssertionError(f"not within {seconds:g} s: {what}") from error
