"""What the operators' commands share: arguments, output, exit codes, and errors of a service."""

import argparse
import asyncio
import json
import os
import re
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from shared.errors import InvalidInput, Problem

OK, REFUSED, FAILED, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: everything was accepted, something was refused, the command failed, it was interrupted."""

F = TypeVar("F", bound=str)


def say(text: str, end: str = "\n") -> None:
    """Print a line of output; characters that the terminal's encoding lacks are escaped.

    If the reader has closed the pipe, the command continues without output. Raises SystemExit if the output cannot be
    written for another reason, such as a full disk.
    """
    try:
        try:
            print(text, end=end, flush=True)  # noqa: T201 - the answer of a command
        except UnicodeEncodeError:
            escaped = text.encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding)
            print(escaped, end=end, flush=True)  # noqa: T201 - as above
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"the answer cannot be written: {error.strerror}", file=sys.stderr)  # noqa: T201 - the reason why a command ends
            raise SystemExit(FAILED) from error


def where(field: str | None) -> str:
    """Return the prefix of an error message that names the wrong field; empty without a field."""
    return f"{field}: " if field else ""


def say_counts(counts: Mapping[str, int]) -> None:
    """Print numbers with their names, one per line."""
    for name, count in counts.items():
        say(f"{name:<10} {count:>9,}")


def carry_out(name: str, work: Callable[[], Coroutine[Any, Any, int]], interrupted: str) -> int:
    """Run the work of a command and return its exit code; print the reason if it fails.

    `interrupted`: what to print after Ctrl-C.
    """
    try:
        return asyncio.run(work())
    except Problem as problem:
        say(f"{name}: {where(problem.field)}{problem.detail}")
    except aiohttp.ClientError as error:  # some of them are OSErrors too
        say(f"{name}: the service broke off or cannot be reached: {error}")
    except OSError as error:
        say(f"{name}: {sentence_of(error)}")
    except KeyboardInterrupt:
        say("")
        say(f"Interrupted. {interrupted}")
        return INTERRUPTED
    return FAILED


def sentence_of(error: OSError) -> str:
    """Return a sentence with the error and the file that it concerns."""
    return f"{error.filename}: {error.strerror}" if error.filename is not None else str(error)


# --- arguments -------------------------------------------------------------------------------------------------------


def add_file(parser: argparse.ArgumentParser, endings: Mapping[str, str]) -> None:
    """Add the arguments for a file and its format. `endings`: file name ending -> format."""
    parser.add_argument("file", type=Path)
    formats = sorted(set(endings.values()))
    parser.add_argument("--format", choices=formats, help="default: by the ending of the file's name")


def add_url(parser: argparse.ArgumentParser, variable: str, default: str) -> None:
    """Add the argument for the address of a service; its default is the environment variable `variable`."""
    given = os.environ.get(variable) or default
    parser.add_argument("--url", type=_address, default=given, help="the address of the service")


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return the `type` of an argparse argument that is a whole number from `least` to `most`."""
    bounds = f"of at least {least}" if most is None else f"between {least} and {most}"

    def parsed(text: str) -> int:
        if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
            raise argparse.ArgumentTypeError(f"is to be a whole number {bounds}, not {text!r}")
        return int(text)

    return parsed


def _address(text: str) -> str:
    """Return the address of a service without a trailing slash. Raises ArgumentTypeError."""
    try:
        url = URL(text.strip())
        sound = url.scheme in ("http", "https") and bool(url.host) and bool(url.port)
    except ValueError:
        sound = False
    if not sound:
        raise argparse.ArgumentTypeError(f"is to be an address such as http://127.0.0.1:8102, not {text!r}")
    return text.strip().rstrip("/")


def format_of(file: Path, given: F | None, endings: Mapping[str, F]) -> F:
    """Return the format `given`, or else the one of the file name's ending. Raises InvalidInput if neither is known."""
    if form := given or endings.get(file.suffix.lower()):
        return form
    raise InvalidInput(f"say in which format {file.name} is: --format {', '.join(dict.fromkeys(endings.values()))}")


def authorization(variable: str) -> dict[str, str]:
    """Return the header with the API key from the environment. Raises InvalidInput if the variable is empty."""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise InvalidInput(f"put an API key into the environment, as {variable}")
    if not (key.isascii() and key.isprintable()):
        raise InvalidInput(f"{variable} holds characters that no API key has")
    return {"Authorization": f"Bearer {key}"}


# --- results ---------------------------------------------------------------------------------------------------------


_SPECIFIC = re.compile(r"'.*'|\".*\"|\d+(?:[.,]\d+)*", re.DOTALL)


def kind_of(detail: str) -> str:
    """Return a message with `…` in place of quoted texts and numbers, which are specific to its row."""
    return _SPECIFIC.sub("…", detail)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yield a path to write to; the written file replaces `file` unless an error is raised before."""
    part = file.with_name(f"{file.name}.part")
    yield part
    part.replace(file)


def refused(status: int, text: str) -> Problem:
    """Return the error answer of a service as a Problem."""
    try:
        body = json.loads(text)
        return InvalidInput(f"{status}: {body['detail']}", body.get("field"))
    except (ValueError, KeyError, TypeError):
        return InvalidInput(f"{status}: {text[:300]}")
