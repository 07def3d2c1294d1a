"""What the reader of a framework file is told (`Options`), and what it returns (`Reading`, with its faults)."""

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from shared.domain import Framework, LocalizedText

EXAMPLES = 5
"""How many examples of one kind a report lists."""


class Fault(Struct, frozen=True, omit_defaults=True):
    """A fault of a row or of another part of a file.

    `verdict` is `refused` if the row is left out, and `changed` if it is imported in a changed form. It is `untrue` if
    the row is left out and the framework would be wrong without it, so the whole file is rejected. `row` counts from 1,
    with the heading of a table. `id` is the identifier in the file.
    """

    verdict: Literal["refused", "changed", "untrue"]
    reason: str
    row: int | None = None
    id: str | None = None
    field: str | None = None


class NotKept(Struct, frozen=True):
    """Items that a framework cannot hold, or the format of an export: their kind, their number, and the first ones."""

    what: str
    count: int
    examples: list[str] = []


class Reading(Struct, frozen=True):
    """The result of reading a file. `framework` is None if the whole file is rejected.

    `rows`: the number of rows that were read. `assumed`: assumptions, such as which column holds the skill.
    `further_faults`: the number of faults that are not listed in `faults`.
    """

    framework: Framework | None
    rows: int
    faults: list[Fault]
    not_kept: list[NotKept]
    assumed: list[str]
    further_faults: int = 0


class Options(Struct, frozen=True):
    """What the caller states about a framework file because the file does not contain it.

    `id` and `title`: those of the framework. `columns`: {column, such as `skill`: its heading, or several with ` + `}.
    `scale`: the names of the levels from 0 on, if a table names levels by unknown words. `mark`: the level that a mark
    such as `x` means. `skip_refused`: whether to import the valid rows even if the framework is
    incomplete without the refused ones. `sheet`: the name of the sheet of a workbook to read.
    """

    id: str = ""
    title: LocalizedText | None = None
    columns: Mapping[str, str] = {}
    scale: tuple[str, ...] = ()
    mark: float | None = None
    skip_refused: bool = False
    sheet: str | None = None


def not_held(parts: Iterable[tuple[str, Iterable[str]]]) -> list[NotKept]:
    """Return what a format cannot hold, from (kind, names of the items); kinds without an item are left out."""
    found = [(what, [*names]) for what, names in parts]
    return [NotKept(what, len(names), names[:EXAMPLES]) for what, names in found if names]
