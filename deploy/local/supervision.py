"""Restarts servers and services of `make run` that have ended, and prints the end of their logs."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from deploy.local.environment import sentence_of
from deploy.local.processes import CannotStart, Child, full_disk_of, shown
from deploy.local.replicas import SERVICES
from deploy.local.stack import Stack

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 60.0
"""The first and the longest pause before a restart; it doubles if a part ends before it ran for STEADY_SECONDS."""
STEADY_SECONDS = 60.0
_LOOK_SECONDS = 0.2


class Owner(Protocol):
    """Something with a process: a server, or a replica of a service. A replica has a new Child at each start."""

    @property
    def child(self) -> Child | None:
        """The present process, None if somebody else runs it."""


@dataclass(frozen=True)
class Part:
    """A server or a replica of a service that is supervised. `start` starts it again."""

    name: str
    owner: Owner
    start: Callable[[], Awaitable[None]]


def parts_of(stack: Stack) -> list[Part]:
    """Return the servers and the replicas whose processes a stack started."""
    servers = [Part(server.name, server, partial(stack.revive, server)) for server in stack.owned if server.child]
    return servers + [
        Part(replica.name, replica, partial(stack.start, service, number))
        for service in SERVICES
        for number, replica in enumerate(stack.running[service])
    ]


async def supervise(stack: Stack, say: Callable[[str], None]) -> None:
    """Restart each part of a stack when it has ended, until cancelled; `say` prints each end and each start."""
    async with asyncio.TaskGroup() as group:
        for part in parts_of(stack):
            group.create_task(keep(part, say))


async def keep(
    part: Part,
    say: Callable[[str], None],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    steady: float = STEADY_SECONDS,
) -> None:
    """Restart a part when it has ended, until cancelled; `say` prints each end and each start.

    `pause` waits before a restart; the wait is short again after the part has run for `steady` seconds.
    """
    delay = 0.0
    while True:
        begun = time.monotonic()
        while part.owner.child is not None and part.owner.child.running:
            await asyncio.sleep(_LOOK_SECONDS)
        lived = time.monotonic() - begun
        delay = FIRST_SECONDS if lived >= steady else min(max(2 * delay, FIRST_SECONDS), LONGEST_SECONDS)
        say(f"{_end_of(part)}\nstarting {part.name} again in {delay:g} s")
        await pause(delay)
        try:
            await part.start()
        except CannotStart as error:
            say(str(error).splitlines()[0])  # the log follows if the process has ended
        except OSError as error:
            say(sentence_of(error))
        else:
            say(f"{part.name} runs again")


def _end_of(part: Part) -> str:
    child = part.owner.child
    if child is None or child.returncode == 0:
        return f"{part.name} stopped normally"
    full = full_disk_of(child.log)
    return f"{full}{part.name} ended with {child.outcome}. The end of {shown(child.log)}:\n{child.tail()}"
