"""Reads courses from plain JSON objects, as the APIs of course platforms answer them. Pure.

The name of a field tells the fact that it holds, like the name of a column: `{"course_id": …, "name": …, "org": …}` is
a course of Open edX, `{"shortname": …, "fullname": …}` one of Moodle. The fields of this project's courses work too.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from services.catalog.importers.columns import with_unit
from services.catalog.importers.facts import MANY, Fact
from services.catalog.importers.tables import add_minutes, guessed

VAGUE_LISTS = (
    "items",
    "data",
    "elements",
    "records",
    "rows",
    "value",
    "entries",
    "list",
    "nodes",
    "course_runs",
    "courseRuns",
)
"""Names of fields that hold the list of courses in one answer, and the lessons of a course in another."""
LISTS = ("results", "courses", "courseList", "course_list", "catalog", "catalogue", "หลักสูตร", "รายวิชา")
"""Names of fields that hold the list of courses in an answer."""
WRAPPERS = ("response", "result", "payload", "body", "node", "edges")
"""Names of fields that hold another object, which holds the list of courses or is a course."""

PREFIX = re.compile(r"^(?:https?://schema\.org/|schema:|sdo:)")
"""What may stand before a name of schema.org."""

_OWN = frozenset({"teaches", "requires", "corequisites", "antirequisites", "stated", "assumed"})
_LANGUAGES = ("th", "en")
_DESCRIBING = ("metadata", "attributes", "customfields", "details")
_RUNS = ("course_runs", "courseRuns", "runs")
"""The names under which a course holds its runs; the first one that is offered says how the course is studied."""

_NOT_OF_RUNS = frozenset({"id", "code", "title", "title_th", "title_en", "description", "url", "offered", "hidden"})
_YES_OR_NO = frozenset({"offered", "hidden"})
_PARTS_OF_TIME = ("hours", "minutes")
"""The fields of a duration that is an object: {"hours": 2, "minutes": 30}."""

_OF_STUDY = frozenset({"hours", "duration", "level", "prerequisites"})


def stated_of(node: Mapping[str, Any]) -> dict[str, Fact]:
    """Return the facts that the fields of an object hold: {fact: text or texts}."""
    stated: dict[str, Fact] = {}
    node = _flat(node)
    names = list(node)
    columns = guessed(names)
    for fact, places in columns.items():
        for name, value in ((names[place], node[names[place]]) for place in places):
            if fact in _OWN:
                if _is_own(fact, value):
                    stated[fact] = msgspec.json.encode(value).decode()
            elif fact in MANY or fact == "languages":
                values = value if isinstance(value, list) else [value]
                if fact in _YES_OR_NO:
                    values = [str(one) if isinstance(one, bool) else one for one in values]
                if texts := [text for one in values if (text := _text(one))]:
                    stated[fact] = [*stated.get(fact, []), *texts]
            elif fact == "rating" and isinstance(value, dict):
                stated |= {"rating": _text(value.get("mean")), "rating_count": _text(value.get("count"))}
            elif isinstance(value, dict) and any(isinstance(value.get(code), str) for code in _LANGUAGES):
                stated |= {f"{fact}_{code}": value[code] for code in _LANGUAGES if isinstance(value.get(code), str)}
            elif text := _text(value):
                stated[fact] = with_unit(name, text)
    add_minutes(stated, [names[place] for place in columns.get("duration", ())])
    if isinstance(done := node.get("completions"), dict):
        stated |= {name: _text(done.get(name)) for name in ("started", "completed")}
    return stated


def _flat(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object with the facts of its first offered run, and its metadata: by name, or as names and values."""
    flat = dict(node)
    runs = [one for name in _RUNS for one in _many(node.get(name)) if isinstance(one, dict)]
    for run in sorted(runs, key=lambda one: one.get("status", "published") != "published")[:1]:
        of_course = guessed(list(node)).keys() | _NOT_OF_RUNS
        for fact, places in guessed(list(run)).items():
            if fact not in of_course:
                flat |= {name: run[name] for name in (list(run)[place] for place in places) if name not in node}
    found = next((node[name] for name in _DESCRIBING if node.get(name)), None)
    if isinstance(found, list):
        pairs = [(one.get("key") or one.get("shortname"), one.get("value")) for one in found if isinstance(one, dict)]
    elif isinstance(found, dict):
        inner = next((one for one in found.values() if isinstance(one, dict)), found) if len(found) == 1 else found
        pairs = list(inner.items())
    else:
        return flat
    for name, value in pairs:
        if isinstance(name, str):
            flat.setdefault(name, value)
    return flat


def short_names(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with the names of schema.org without address and prefix."""
    return {PREFIX.sub("", str(name)): value for name, value in node.items()}


def is_course(node: Mapping[str, Any]) -> bool:
    """Return whether a plain object describes a course: it has a title, or an id or a code and no field `type`."""
    if node.get("format") == "site":
        return False  # the front page of a Moodle site, in its list of courses
    facts = guessed(list(_flat(node)))
    if any(name in node for name in _DESCRIBING) and _is_about_a_list(node):
        return False
    return any(fact.startswith("title") for fact in facts) or (
        "type" not in node and bool(facts.keys() & {"id", "code"})
    )


def is_named(node: Mapping[str, Any]) -> bool:
    """Return whether an object has an id or a code."""
    return bool(guessed(list(_flat(node))).keys() & {"id", "code"})


def _is_about_a_list(node: Mapping[str, Any]) -> bool:
    """Return whether the title in the metadata of an object is that of what it holds, and not of a course."""
    own = guessed(list(node))
    named = any(fact.startswith("title") for fact in own) or bool(own.keys() & {"id", "code", "url"})
    return not named and any(
        isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, dict) for one in value))
        for name, value in node.items()
        if name in (*LISTS, *VAGUE_LISTS, *WRAPPERS)
    )


def is_list(node: Mapping[str, Any]) -> bool:
    """Return whether a plain object holds a list of courses, as a page of an answer does, and is not a course itself."""
    lists = [node[name] for name in (*LISTS, *VAGUE_LISTS) if isinstance(node.get(name), list)]
    return not is_studied(node) and any(isinstance(one, dict) and is_course(one) for items in lists for one in items)


def is_studied(node: Mapping[str, Any]) -> bool:
    """Return whether an object has a title and says how it is studied, by hours, a level or prerequisites."""
    facts = guessed(list(node))
    return any(fact.startswith("title") for fact in facts) and bool(facts.keys() & _OF_STUDY)


def _is_own(fact: str, value: Any) -> bool:
    """Return whether a value has the form of this project's export: `teaches` may be a list of words elsewhere."""
    if fact in ("teaches", "requires"):
        return (
            isinstance(value, list)
            and bool(value)
            and all(isinstance(one, dict) and "@type" not in one for one in value)
        )
    return isinstance(value, list | dict) and bool(value)


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    if isinstance(value, dict):
        if isinstance(unit := value.get("unit"), str):  # an amount: {"duration": 90, "unit": "MINUTE"}
            amounts = (_text(value.get(name)) for name in ("duration", "value", "amount"))
            if number := next(filter(None, amounts), ""):
                return f"{number} {unit}"
        if parts := [f"{number} {name}" for name in _PARTS_OF_TIME if (number := _text(value.get(name)))]:
            return " ".join(parts)
        return next((text for name in ("name", "title", "value", "key") if (text := _text(value.get(name)))), "")
    if isinstance(value, list):
        return "; ".join(text for one in value if (text := _text(one)))
    if isinstance(value, bool):
        return "true" if value else ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else ""


def counts(many: int) -> tuple[list[str], list[str]]:
    """Return the names of fields that only count `many` values, from 0 and from 1."""
    return [*map(str, range(many))], [*map(str, range(1, many + 1))]


def coded(node: Mapping[str, Any]) -> list[Any]:
    """Return the values of an object of courses by their codes; a course without an id and a code gets its code."""
    values = [(code, short_names(one) if isinstance(one, dict) else one) for code, one in node.items()]
    return [one if not isinstance(one, dict) or is_named(one) else {**one, "code": code} for code, one in values]
