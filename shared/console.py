"""What the commands of operators share: what they print, the key they use, and what a service answered."""

import json
import os

from shared.errors import InvalidInput, Problem

OK, REFUSED, FAILED, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: all was taken; some of it was refused; it could not be done; it was interrupted."""


def say(text: str, end: str = "\n") -> None:
    """Print the answer of a command."""
    print(text, end=end, flush=True)  # noqa: T201 - the answer of a command


def where(field: str | None) -> str:
    """Return what stands before a problem: the field that is to blame."""
    return f"{field}: " if field else ""


def key_of_environment(variable: str) -> str:
    """Return an API key. Raises InvalidInput where the variable is not set."""
    if key := os.environ.get(variable, "").strip():
        return key
    raise InvalidInput(f"put the key of an admin into the environment, as {variable}")


def refused(status: int, text: str) -> Problem:
    """Return what a service answered as a problem."""
    try:
        told = json.loads(text)
        return InvalidInput(f"{status}: {told['detail']}", told.get("field"))
    except (ValueError, KeyError, TypeError):
        return InvalidInput(f"{status}: {text[:300]}")
