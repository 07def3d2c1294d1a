"""Reads settings from the environment; no other module reads it."""

import difflib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from shared.settings.declared import EVERY, NamedSettings

_OURS = ("KAFKA_", "MONGODB_", "API_KEY_", "HTTP_", "OPENID_")
# Of Kafka's own programs, of proxies, and of Kubernetes, which names every service of its namespace to every process.
_FOREIGN = re.compile(
    r"KAFKA_(HOME|\w*OPTS|VERSION)|MONGODB_VERSION|HTTP_PROXY|\w+_SERVICE_(HOST|PORT)\w*|\w+_PORT_\d+_\w+|"
    r"\w+_PATH"  # of deploy/compose.yaml: files on the host
)
_NEAR = 0.87  # HTTP_PROT is near HTTP_PORT, POD_NAMESPACE is not near NAMESPACE


class BadSettings(Exception):
    """The settings in the environment are invalid; `problems` lists all faults."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(["The settings cannot be used:", *(f"  - {problem}" for problem in problems)]))
        self.problems = problems


@dataclass(frozen=True)
class SettingDescription:
    """One setting with its documentation; `default` None means that it must be set."""

    name: str
    sentence: str
    default: str | None
    secret: bool


def described(shape: type[NamedSettings]) -> list[SettingDescription]:
    """Return the settings of a service, in order."""
    return [
        SettingDescription(name, one.metadata["sentence"], one.metadata["default"], one.metadata["secret"])
        for name, one in _named(shape)
    ]


def _named(shape: type[NamedSettings]) -> Iterator[tuple[str, Field[Any]]]:
    for one in fields(shape):
        yield one.name.upper(), one


S = TypeVar("S", bound=NamedSettings)


def read(shape: type[S], environment: Mapping[str, str]) -> S:
    """Return the settings of a service. Raises BadSettings, which lists every problem."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, one in _named(shape):
        try:
            text = _look_up(name, environment, secret=one.metadata["secret"])
            if text is not None:
                values[one.name] = one.metadata["parse"](text)
            elif one.default_factory is MISSING:
                secret = f" (or {name}_FILE)" if one.metadata["secret"] else ""
                problems.append(f"{name}{secret} is not set. {one.metadata['sentence']}")
        except ValueError as error:
            in_file = one.metadata["secret"] and environment.get(f"{name}_FILE")
            problems.append(f"{name}_FILE {error}" if in_file else f"{name} {error}")
    problems += shape.disagreements(values)
    problems += _unknown(name for name, text in environment.items() if text and not text.startswith("tcp://"))
    if problems:
        raise BadSettings(problems)
    return shape(**values)


def _unknown(names: Iterable[str]) -> Iterator[str]:
    """Yield a problem for each unknown variable that resembles a setting."""
    known = dict.fromkeys(
        name
        for shape in EVERY
        for one in described(shape)
        for name in ([one.name, f"{one.name}_FILE"] if one.secret else [one.name])
    )
    for name in names:
        near = difflib.get_close_matches(name, known, 1, _NEAR)
        if name in known or not (near or name.startswith(_OURS)) or _FOREIGN.fullmatch(name):
            continue
        nearest = near or difflib.get_close_matches(name, known, 1, 0)
        yield f"{name} is no setting; the nearest is {nearest[0]}"


def _look_up(name: str, environment: Mapping[str, str], *, secret: bool) -> str | None:
    text = environment.get(name) or None
    path = environment.get(f"{name}_FILE") if secret else None
    if not path:
        return text
    if text:
        raise ValueError(f"and {name} are both set; set one")
    try:
        text = Path(path).read_text(encoding="utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"cannot be read: {error}") from error
    except UnicodeDecodeError as error:  # its message would show bytes of the secret
        raise ValueError("cannot be read: it is not UTF-8") from error
    if not text.strip():
        raise ValueError("names an empty file")
    return text


def load(shape: type[S]) -> S:
    """Return the settings of a service from the environment; if there are problems, print all and exit with 2."""
    try:
        return read(shape, os.environ)
    except BadSettings as error:
        print(error, file=sys.stderr)  # noqa: T201 - logging is not set up yet
        raise SystemExit(2) from None
