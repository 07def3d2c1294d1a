"""What the commands of operators share: arguments, printed answers, exit codes, and what a service answered."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from shared.errors import InvalidInput, Problem

OK, REFUSED, FAILED, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: everything was taken; some of it was refused; it could not be done; it was interrupted."""

F = TypeVar("F", bound=str)


def say(text: str, end: str = "\n") -> None:
    """Print the answer of a command; what the encoding of the terminal does not have is escaped.

    A reader that has closed the pipe has read enough, and the command goes on without it. Raises SystemExit where the
    answer cannot be written for another reason, such as a full disk.
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
            print(f"the answer cannot be written: {error.strerror}", file=sys.stderr)  # noqa: T201 - the last word of a command
            raise SystemExit(FAILED) from error


def where(field: str | None) -> str:
    """Return the prefix of a problem: the name of the wrong field."""
    return f"{field}: " if field else ""


def say_counts(counts: Mapping[str, int]) -> None:
    """Print numbers, one a line, with their names."""
    for name, count in counts.items():
        say(f"{name:<10} {count:>9,}")


def carry_out(name: str, work: Callable[[], Coroutine[Any, Any, int]], interrupted: str) -> int:
    """Do the work of a command and return its exit code. If it cannot be done, print the reason.

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
    """Return what is wrong with which file."""
    return f"{error.filename}: {error.strerror}" if error.filename is not None else str(error)


# --- arguments -------------------------------------------------------------------------------------------------------


def add_file(parser: argparse.ArgumentParser, endings: Mapping[str, str]) -> None:
    """Add the arguments for a file and its format. `endings`: the formats by the ending of a file's name."""
    parser.add_argument("file", type=Path)
    formats = sorted(set(endings.values()))
    parser.add_argument("--format", choices=formats, help="default: by the ending of the file's name")


def add_url(parser: argparse.ArgumentParser, variable: str, default: str) -> None:
    """Add the argument for the address of a service; without it the environment's `variable` counts."""
    given = os.environ.get(variable) or default
    parser.add_argument("--url", type=_address, default=given, help="the address of the service")


def _address(text: str) -> str:
    """Return an address of a service, without a slash at its end. Raises ArgumentTypeError."""
    try:
        url = URL(text.strip())
        sound = url.scheme in ("http", "https") and bool(url.host) and bool(url.port)
    except ValueError:
        sound = False
    if not sound:
        raise argparse.ArgumentTypeError(f"is to be an address such as http://127.0.0.1:8102, not {text!r}")
    return text.strip().rstrip("/")


def format_of(file: Path, given: F | None, endings: Mapping[str, F]) -> F:
    """Return the format of a file: the given one, or that of its ending. Raises InvalidInput where neither says it."""
    if form := given or endings.get(file.suffix.lower()):
        return form
    raise InvalidInput(f"say in which format {file.name} is: --format {', '.join(dict.fromkeys(endings.values()))}")


def authorization(variable: str) -> dict[str, str]:
    """Return the header with the API key of the environment. Raises InvalidInput if the variable holds none."""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise InvalidInput(f"put an API key into the environment, as {variable}")
    if not (key.isascii() and key.isprintable()):
        raise InvalidInput(f"{variable} holds characters that no API key has")
    return {"Authorization": f"Bearer {key}"}


# --- results ---------------------------------------------------------------------------------------------------------


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Give a path to write to; the new file replaces `file` once it is complete."""
    part = file.with_name(f"{file.name}.part")
    yield part
    part.replace(file)


def refused(status: int, text: str) -> Problem:
    """Return the answer of a service as a problem."""
    try:
        body = json.loads(text)
        return InvalidInput(f"{status}: {body['detail']}", body.get("field"))
    except (ValueError, KeyError, TypeError):
        return InvalidInput(f"{status}: {text[:300]}")
