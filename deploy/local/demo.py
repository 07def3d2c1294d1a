"""What `make demo` does: submits an officer's assessment, and prints the path that comes on the live stream.

It also prints the time from the submission to the path.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
from rich.console import Console
from rich.text import Text

from deploy.local.display import Terminal
from deploy.local.live import Message, messages
from deploy.local.processes import CannotStart
from deploy.local.seed import register, sample_officers, submit
from deploy.local.stack import Stack

_PUSH_SECONDS = 60


async def demo(console: Console) -> None:
    """Start everything, assess the first sample officer, print the path from the live stream, and stop everything.

    Raises CannotStart.
    """
    display = Terminal(console)
    apart = f"demo-{os.getpid()}-"  # on servers that others use too, every demo is a new one
    async with Stack("demo", namespace=apart, display=display) as stack, aiohttp.ClientSession() as session:
        officer = sample_officers()[0]
        path, milliseconds = await _assessed(stack, session, officer, display)
        _print_path(console, path)
        count, hours, coverage = len(path["steps"]), path["hours"], path["coverage"]
        broker = stack.broker_name
        display.say("stopping")
    console.print(
        f"demo ok: {count} courses, {_hours(hours)} hours, coverage {coverage['before']:.0%} -> "
        f"{coverage['after']:.0%}, pushed in {milliseconds:.0f} ms on {broker}"
    )


async def _assessed(
    stack: Stack, session: aiohttp.ClientSession, officer: dict[str, Any], display: Terminal
) -> tuple[dict[str, Any], float]:
    """Register and assess the officer; return the path, and the milliseconds from the submission to the path."""
    name, key = officer["officer"], stack.keys.platform
    url = stack.urls["assessment"][0]
    await register(session, url, key, officer)
    display.say(f"registered officer {name} ({officer['profile']['job_group']}); the live stream is open")
    stream = messages(session, stack.urls["portal"][0], name, stack.keys.officers[name])
    try:
        async with asyncio.timeout(_PUSH_SECONDS):
            await _path_of(stream, 1)
            begun = time.perf_counter()
            sequence = (await submit(session, url, key, officer))["profile_sequence"]
            path = await _path_of(stream, sequence)
            milliseconds = (time.perf_counter() - begun) * 1000
    except TimeoutError as error:
        raise CannotStart(
            f"No path came on the live stream within {_PUSH_SECONDS} s. The services' logs are in {stack.directory}"
        ) from error
    finally:
        await stream.aclose()
    display.say(f"assessed: profile {sequence}; its path came on the stream {milliseconds:.0f} ms after submission")
    return path, milliseconds


async def _path_of(stream: AsyncGenerator[Message, None], sequence: int) -> dict[str, Any]:
    async for message in stream:
        if message.event == "path" and message.data["path"]["versions"]["profile"] >= sequence:
            path: dict[str, Any] = message.data["path"]
            return path
    raise CannotStart("the portal closed the live stream before a path came")


def _print_path(console: Console, path: dict[str, Any]) -> None:
    console.rule(f"{path['job_group']} · {path['framework']} · {_hours(path['hours'])} h")
    for line in _both(path["reason"]):
        console.print(Text(line))
    for step in path["steps"]:
        card = step["course"]
        console.print()
        titles = " · ".join(_both(card["title"]))
        console.print(Text.assemble((f"{step['position']:>2}. {titles}", "bold")))
        hours = f"{_hours(card['hours'])} h, {_hours(step['cumulative_hours'])} h so far"
        console.print(Text(f"    {hours} · similarity {step['similarity']:.2f}"))
        for gap in step["closes"]:
            levels = f"{gap['from']:.1f} -> {gap['to']:.1f} (required {gap['required']:.1f})"
            console.print(Text(f"    closes {' · '.join(_both(gap['title']))}: {levels}"))
        for line in _both(step["reason"]):
            console.print(Text(f"    {line}"))
    _print_outcome(console, path)


def _print_outcome(console: Console, path: dict[str, Any]) -> None:
    coverage = path["coverage"]
    console.print()
    console.print(f"Coverage of the requirement: {coverage['before']:.0%} before, {coverage['after']:.0%} after")
    console.print(f"Still open: {len(path['open']) or 'nothing'}")
    for gap in path["open"]:
        levels = f"reaches {gap['reached']:.1f} of {gap['required']:.1f}"
        console.print(Text(f"  {' · '.join(_both(gap['title']))}: {levels}; {gap['cause'].replace('_', ' ')}"))
        for line in _both(gap["reason"]):
            console.print(Text(f"    {line}"))
    console.print()


def _both(text: dict[str, str]) -> list[str]:
    """Return the Thai and the English text, without one that is missing."""
    return [text[language] for language in ("th", "en") if text.get(language)]


def _hours(hours: float) -> str:
    return f"{hours:.1f}".removesuffix(".0")
