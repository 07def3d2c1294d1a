"""What `make run` does: runs everything on fixed ports, with the data in `.local/state`, until Ctrl-C."""

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

import aiohttp
from rich.console import Console

from deploy.local.display import Terminal
from deploy.local.keys import TENANT, Issuer, links
from deploy.local.pages import build as build_pages
from deploy.local.processes import LOCAL, CannotStart, shown
from deploy.local.replicas import SERVICES, fixed_ports, wanted_replicas
from deploy.local.seed import await_paths, load_officers
from deploy.local.servers import without_secrets
from deploy.local.stack import Stack
from deploy.local.supervision import supervise
from shared.auth import Role
from shared.domain import SHARED_TENANT

STATE = LOCAL / "state"
_NOTE = STATE / "running.json"


@contextlib.contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Hold a lock on a data directory in the block. Raises CannotStart if another `make run` holds it."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(
                f"`make run` runs here already, with its data in {shown(directory)}: stop it, or run a second one from "
                "another copy of the project, with another PORT"
            ) from None
        yield


async def run(console: Console) -> None:
    """Start everything, load the starter data, print the addresses, and run until cancelled. Raises CannotStart."""
    with alone_in(STATE):
        await _run(console)


async def _run(console: Console) -> None:
    display = Terminal(console)
    ports, replicas = fixed_ports(), wanted_replicas()
    namespace = os.environ.get("NAMESPACE", "")
    try:
        await asyncio.to_thread(build_pages, display.say)
    except CannotStart as error:  # the API is of use without them
        display.say(f"the pages could not be built: {error}")
    async with Stack(
        "run", namespace=namespace, directory=STATE, ports=ports, replicas=replicas, display=display
    ) as stack:
        async with aiohttp.ClientSession() as session:
            officers = await load_officers(session, stack.urls["assessment"][0], stack.keys.platform, display)
            await await_paths(session, stack.urls["recommender"][0], stack.keys.platform, officers, display)
        _NOTE.write_text(json.dumps(stack.servers))
        try:
            _print_addresses(console, stack, officers[0])
            await supervise(stack, display.say)
        finally:
            _NOTE.unlink(missing_ok=True)
            display.say("stopping")


async def make_key(console: Console, tenant: str, role: Role, officer: str | None, agency: str | None = None) -> None:
    """Print a new API key for the system that `make run` runs now. Raises CannotStart if nothing runs."""
    try:
        servers = json.loads(_NOTE.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CannotStart("nothing runs: start it with `make run` and make the key in another terminal") from error
    issuer = Issuer(servers, [servers["MONGODB_URI"], servers["KAFKA_BOOTSTRAP_SERVERS"]])
    console.print(await issuer.issue(tenant, role, officer, agency), markup=False)


def _print_addresses(console: Console, stack: Stack, officer: str) -> None:
    urls = stack.urls
    notes = {
        "officer": f"officer {officer}",
        "admin": f"of the tenant `{TENANT}`",
        "editor": f"of the tenant `{SHARED_TENANT}`",
    }
    lines = ["", "The page, signed in by a link (each holds a key that works for a day)"]
    for role, link in links(urls["portal"][0], stack.keys, officer).items():
        lines += [f"  {role:<12} {link}" + (f"  ·  {notes[role]}" if role in notes else "")]
    lines += [f"  another portal: {url}/" for url in urls["portal"][1:]]
    lines += [""]
    lines += ["The API, as documentation (the portal's is for an admin who has signed in)"]
    for service in SERVICES:
        lines += [f"  {service:<12} {url}/docs" for url in urls[service]]
    lines += ["", f"The same keys for the API (tenant `{TENANT}`; the admin's is `shared`)"]
    lines += [f"  platform     {stack.keys.platform}", f"  admin        {stack.keys.admin}"]
    lines += ["  more keys: make key ROLE=officer OFFICER=ID (ROLE=platform TENANT=...)", ""]
    mongodb = without_secrets(stack.mongodb.address)
    lines += [f"Servers: {stack.mongodb.name} {mongodb} · {stack.broker_name} {stack.broker.address}"]
    lines += [f"Logs and data: {STATE.relative_to(LOCAL.parent)}/. Ctrl-C stops everything.", ""]
    console.print("\n".join(lines), markup=False)
