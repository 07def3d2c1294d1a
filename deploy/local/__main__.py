"""The commands of the local stack: `python -m deploy.local demo | run | key | lock | pages`."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Coroutine

import aiohttp
from rich.console import Console

from deploy.local.demo import demo
from deploy.local.environment import sentence_of
from deploy.local.kafka_jars import lock_jars
from deploy.local.pages import COMMANDS, pages
from deploy.local.processes import LOCAL, CannotStart, kill_all, kill_commands, shown
from deploy.local.run import make_key, run
from shared.auth import GIVEN_ROLES

_CRASH = LOCAL / "crash.log"


def main() -> int:
    """Run a command; return the exit status: 0 if it is done, 1 if it failed, 130 if it was interrupted."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="The whole system on this machine")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help="an assessment becomes a learning path, once")
    commands.add_parser("run", help="start everything and keep it running")
    commands.add_parser("lock", help="lock the jars that deploy/local/kafka/pom.xml names")
    key = commands.add_parser("key", help="print one more key for what `run` runs")
    key.add_argument("--tenant", required=True)
    key.add_argument("--role", required=True, choices=GIVEN_ROLES)
    key.add_argument("--officer", default="")
    key.add_argument("--agency", default="")
    of_pages = commands.add_parser("pages", help="build, check or try out the portal's pages")
    of_pages.add_argument("work", choices=COMMANDS)
    wanted = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it logs its retries; only the outcome matters here
    console = Console(highlight=False, soft_wrap=True)
    if wanted.command == "demo":
        return _finish(demo(console))
    if wanted.command == "run":
        status = _finish(run(console))
        return 0 if status == _INTERRUPTED else status  # Ctrl-C is how `run` ends
    if wanted.command == "lock":
        return _finish(asyncio.to_thread(lock_jars, print))
    if wanted.command == "pages":
        return _finish(asyncio.to_thread(pages, wanted.work, print))
    return _finish(make_key(console, wanted.tenant, wanted.role, wanted.officer or None, wanted.agency or None))


_INTERRUPTED = 130


def _finish(work: Coroutine[None, None, None]) -> int:
    """Run `work` and return the exit status; if it fails, print the reason as one sentence, never a traceback."""
    try:
        asyncio.run(_interruptible(work))
    except CannotStart as error:
        print(f"\n{error}", file=sys.stderr)
    except asyncio.CancelledError:
        return _INTERRUPTED
    except (aiohttp.ClientError, TimeoutError) as error:
        print(f"\nA service did not answer: {error or 'time-out'}. The logs are in .local/", file=sys.stderr)
    except OSError as error:
        print(f"\n{sentence_of(error)}", file=sys.stderr)
    except Exception as error:  # noqa: BLE001 - the last place where a reason can be printed
        print(f"\nThis should not happen: {error}. What happened exactly: {_crash()}", file=sys.stderr)
    else:
        return 0
    return 1


def _crash() -> str:
    """Return the path of the file with the traceback, or the traceback itself if it cannot be written."""
    try:
        LOCAL.mkdir(exist_ok=True)
        _CRASH.write_text(traceback.format_exc())
    except OSError:
        return "\n" + traceback.format_exc()
    return shown(_CRASH)


async def _interruptible(work: Coroutine[None, None, None]) -> None:
    """Let the first Ctrl-C (or SIGTERM, or a closed terminal) end the work cleanly, the second one at once."""
    task = asyncio.ensure_future(work)
    interrupts = 0

    def interrupt() -> None:
        nonlocal interrupts
        interrupts += 1
        if interrupts == 1:
            task.cancel()
            kill_commands()
        else:
            kill_all()
            os._exit(_INTERRUPTED)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, interrupt)
    await task


if __name__ == "__main__":
    sys.exit(main())
