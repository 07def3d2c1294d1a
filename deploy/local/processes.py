"""Starts, stops and kills child processes, and reads their logs; no child outlives this process."""

import asyncio
import atexit
import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
"""The root directory of the repository."""

LOCAL = ROOT / ".local"
"""The directory for what the local stack downloads, stores and logs; `make clean` removes it."""

_SHOWN = 300
_TAIL_LINES = 15
_HARDLY_ANY_BYTES = 1024 * 1024
_NO_LIBRARY = re.compile(r"error while loading shared libraries: ([\w.+-]+)")
_PACKAGES = {
    "libcurl.so.4": " (`apt install libcurl4`, `dnf install libcurl`)",
    "libatomic.so.1": " (`apt install libatomic1`, `dnf install libatomic`)",
}
_KILL_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_alive: "weakref.WeakSet[Child]" = weakref.WeakSet()
_commands: set[subprocess.Popen[str]] = set()


class CannotStart(Exception):
    """Something that is needed is missing, or a process failed; the message says what happened and what to do."""


class Child:
    """One child process, which can be started several times; its output goes to the file `log`.

    It is killed when this process ends; on Linux, also if this process is killed. `env`: variables in addition to the
    environment of this process.
    """

    def __init__(self, name: str, argv: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = log
        self._argv = [str(part) for part in argv]
        self._env = dict(env or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process is running."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id, None if the process is not running."""
        return self._process.pid if self._process and self.running else None

    @property
    def returncode(self) -> int | None:
        """The exit status of the last run; None while the process runs, and before its first start."""
        return None if self._process is None else self._process.poll()

    @property
    def outcome(self) -> str:
        """How the last run ended, for people: "status 1" or "signal SIGKILL"."""
        status = self.returncode
        if status is None:
            return "no status"
        names = {number.value: number.name for number in signal.Signals}
        return f"status {status}" if status >= 0 else f"signal {names.get(-status, -status)}"

    def start(self) -> None:
        """Start the process unless it runs; append its output to the log.

        Raises CannotStart if the program cannot be run.
        """
        if self.running:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = self._spawn(log)
        _alive.add(self)

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, **self._env},
                start_new_session=True,  # Ctrl-C reaches only us; we stop the children in order
                preexec_fn=_die_with_parent if _LIBC else None,  # noqa: PLW1509 - it only calls prctl, takes no lock
            )
        except OSError as error:
            raise CannotStart(f"{self.name}: cannot run {self._argv[0]}: {error.strerror}") from error

    async def stop(self, grace: float = 15.0) -> None:
        """Ask the process to end (SIGTERM); kill it if it still runs after `grace` seconds."""
        if not self.running:
            return
        self._signal(signal.SIGTERM)
        if not await self.ended(grace):
            self.kill()
            await self.ended(5)

    def kill(self) -> None:
        """Kill the process at once (SIGKILL) and wait for its end."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)

    def freeze(self) -> None:
        """Suspend the process (SIGSTOP), to simulate a machine that hangs."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume a suspended process (SIGCONT)."""
        self._signal(signal.SIGCONT)

    async def ended(self, timeout: float) -> bool:  # noqa: ASYNC109 - the answer is a bool, not an exception
        """Wait up to `timeout` seconds for the process to end; return whether it has."""
        deadline = time.monotonic() + timeout
        while self.running:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    def tail(self) -> str:
        """Return the last 15 lines of the log, each cut to 300 characters; empty without a log."""
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 20_000))
            last = log.read().decode("utf-8", "replace").splitlines()[-_TAIL_LINES:]
            return "\n".join(line if len(line) <= _SHOWN else f"{line[:_SHOWN]} ..." for line in last)
        return ""

    def failure(self, what: str) -> CannotStart:
        """Return an error to raise: the name of the process, `what` it did wrong, and the last lines of the log.

        A known cause, such as a full disk, comes first.
        """
        status = "" if self.running else f" (it ended with {self.outcome})"
        cause = full_disk_of(self.log) or missing_library(self.tail())
        return CannotStart(f"{cause}{self.name} {what}{status}. The end of {shown(self.log)}:\n{self.tail()}")

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_KILL_WITH_PARENT, signal.SIGKILL)


def run_command(argv: Sequence[str | Path], timeout: float | None, **options: Any) -> tuple[int, str]:
    """Run a command to its end; return its status and its output, if `stdout` is a pipe.

    `options`: those of `subprocess.Popen`. Ctrl-C kills it: npm and Maven go on for most of a minute. Raises
    subprocess.TimeoutExpired.
    """
    with subprocess.Popen(argv, text=True, stdin=subprocess.DEVNULL, **options) as process:
        _commands.add(process)
        try:
            output, _ = process.communicate(timeout=timeout)
        finally:
            _commands.discard(process)
            process.kill()
    return process.returncode, output or ""


def kill_commands() -> None:
    """Kill every command that `run_command` runs."""
    for command in list(_commands):
        command.kill()


def kill_all() -> None:
    """Kill every child process of this process that still runs."""
    kill_commands()
    for child in list(_alive):
        child.kill()


atexit.register(kill_all)


async def until(
    ready: Callable[[], Awaitable[bool]], child: Child | None, seconds: float, what: str, every: float = 0.05
) -> None:
    """Call `ready` every `every` seconds until it returns True.

    `child`: the process that becomes ready, None if there is none. `what`: its name. Raises CannotStart, with the end
    of the log, if the process ends, or if it is not ready after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not await ready():
        if child is not None and not child.running:
            raise child.failure("ended before it was ready")
        if time.monotonic() > deadline:
            late = f"was not ready within {seconds:g} s"
            raise child.failure(late) if child is not None else CannotStart(f"{what} {late}")
        await asyncio.sleep(every)


def full_disk_of(log: Path) -> str:
    """Return a line for people if the disk of a log is full, otherwise "".

    A process cannot write to its log then that the disk is full.
    """
    with contextlib.suppress(OSError):
        if shutil.disk_usage(log.parent).free < _HARDLY_ANY_BYTES:
            return f"The disk of {shown(log.parent)} is full: free some 500 MB there.\n"
    return ""


def missing_library(output: str) -> str:
    """Return a line for people if the output of a program names a missing library of the system, otherwise ""."""
    found = _NO_LIBRARY.search(output)
    return f"The library {found[1]} is missing: install its package{_PACKAGES.get(found[1], '')}.\n" if found else ""


def shown(path: Path) -> str:
    """Return a path as it is printed: relative to the root of the repository if it is inside."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
