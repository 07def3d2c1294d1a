"""The process of a service: serves its application until a signal, and runs the commands of an operator.

    main(__doc__, build, CatalogSettings, {"republish": republish})    # in a service's __main__

A process serves until SIGTERM or SIGINT. It exits with 1 if the start or a background task failed.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

from aiohttp import web

from shared import logs
from shared.app import LIFECYCLE, READINESS, Lifecycle, Readiness
from shared.console import say
from shared.errors import Problem, Unavailable
from shared.settings import Settings, load

log = logging.getLogger(__name__)

S = TypeVar("S", bound=Settings)

_PATIENCE_SECONDS = 10.0
_UNREADY_SECONDS, _READY_SECONDS, _REMIND_SECONDS = 2.0, 10.0, 60.0
_KEEPALIVE_SECONDS = 75.0
_SWITCH_SECONDS = 0.001
"""How long a thread keeps the interpreter's lock while others wait for it: a database call, which waits for it four
times, is not to wait 20 ms while a thread plans."""


def run(build: Callable[[S], Awaitable[web.Application]], settings: S) -> NoReturn:
    """Serve until SIGTERM or SIGINT, then exit with 0; exit with 1 if the start or a background task failed.

    The exit waits neither for threads nor for tasks that do not end: a thread may still compile the planner, and a task
    may wait for a MongoDB that hangs, because closing a cursor has no time limit. What was accepted is stored by then.
    """
    logs.configure(settings.log_level)
    sys.setswitchinterval(_SWITCH_SECONDS)
    runner = asyncio.Runner()  # not closed: that would wait for both
    try:
        status = runner.run(_serve(build, settings))
    except KeyboardInterrupt:  # while it was still starting
        status = 130
    except Exception:
        log.critical("the process ends", exc_info=True)
        status = 1
    logging.shutdown()
    sys.stdout.flush()
    os._exit(status)


async def _serve(build: Callable[[S], Awaitable[web.Application]], settings: S) -> int:
    runner: web.AppRunner | None = None
    try:
        app = await build(settings)
        _obey_signals(app[LIFECYCLE])
        runner = web.AppRunner(
            app,
            handler_cancellation=True,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            shutdown_timeout=_PATIENCE_SECONDS,
        )
        await runner.setup()
        logs.write_together(asyncio.get_running_loop().call_later)
        await _listen(runner, settings)
        reduce_garbage_collection()
        telling = asyncio.create_task(log_readiness(app[READINESS]))
        try:
            await _until_stopping(app[LIFECYCLE], settings.drain_seconds)
        finally:
            telling.cancel()
    except Problem as error:
        log.error("cannot start: %s", error.detail)  # noqa: TRY400 - the message is enough
        return 1
    finally:
        if runner is not None:
            await runner.cleanup()
    log.info("stopped")
    return 1 if app[LIFECYCLE].failure else 0


def reduce_garbage_collection() -> None:
    """Exempt what was loaded at the start from garbage collection, and collect less often.

    Requests, events, imports and compiling create many objects that live for some milliseconds and are in no cycle.
    With the default thresholds a fifth of the processor time of an import is spent on visiting them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


async def log_readiness(
    readiness: Callable[[], Awaitable[Readiness]], pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Log what the service waits for whenever that changes, and every minute as long as it is not ready."""
    last: set[str] | None = None
    elapsed = 0.0
    while True:
        found = await readiness()
        waits = {name: result for name, result in found.checks.items() if result != "ok"}
        if last is None or waits.keys() != last or (waits and elapsed >= _REMIND_SECONDS):
            if waits:
                log.warning("not ready", extra={"fields": {"checks": waits}})
            else:
                log.info("ready")
            last, elapsed = {*waits}, 0.0
        seconds = _UNREADY_SECONDS if waits else _READY_SECONDS
        await pause(seconds)
        elapsed += seconds


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    host, port = settings.http_host, settings.http_port
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise Unavailable(f"nothing can listen on {host}:{port}: {error.strerror or error}") from error
    log.info("listening", extra={"fields": {"addresses": [_url(address) for address in runner.addresses]}})


def _obey_signals(lifecycle: Lifecycle) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, lifecycle.stop)


async def _until_stopping(lifecycle: Lifecycle, drain_seconds: float) -> None:
    """Return when the process should stop.

    After a signal, wait until load balancers have had time to stop routing to it.
    """
    await lifecycle.stopping.wait()
    if lifecycle.failure is None:
        lifecycle.draining = True
        log.info("draining", extra={"fields": {"seconds": drain_seconds}})
        lifecycle.stopping.clear()  # a second signal, or a task that dies, ends the wait
        await _at_most(lifecycle.stopping.wait(), drain_seconds)


async def _at_most(waiting: Awaitable[Any], seconds: float) -> None:
    task = asyncio.ensure_future(waiting)
    await asyncio.wait({task}, timeout=seconds)
    task.cancel()


def _url(address: Any) -> str:
    host, port, *_ = address
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


Command = Callable[[S], Awaitable[int]]


def main(
    about: str | None,
    build: Callable[[S], Awaitable[web.Application]],
    shape: type[S],
    commands: Mapping[str, Command[S]] = MappingProxyType({}),
) -> NoReturn:
    """Serve, or run one operator command that the command line names and print how many records it sent.

    `about` is printed for `--help` and for an unknown command. Only then are the settings of the type `shape` read.
    """
    named = sys.argv[1:]
    if named in (["-h"], ["--help"]):
        say(about or "")
        raise SystemExit(0)
    if len(named) > 1 or not {*named} <= {*commands}:
        print(f"there is no command {' '.join(named)!r}\n\n{about}", file=sys.stderr)  # noqa: T201 - as argparse does
        raise SystemExit(2)
    settings = load(shape)
    if not named:
        run(build, settings)
    logs.configure(settings.log_level)
    try:
        count = asyncio.run(_awaited(commands[named[0]](settings)))
    except Problem as error:
        raise SystemExit(f"{named[0]}: {error.detail}") from error
    say(f"{named[0]}: {count} records")
    raise SystemExit(0)


async def _awaited(work: Awaitable[int]) -> int:
    return await work
