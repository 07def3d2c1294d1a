"""The result of reading a file: every item, accepted or with all its faults."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.assessment.item_bank.model import ITEMS_LIMIT, Item
from shared.decoding import convert, faults
from shared.errors import InvalidInput, TooLarge


@dataclass(frozen=True)
class ItemDefaults:
    """The skill and the level of items for which the file gives none."""

    skill: str | None = None
    level: float | None = None


@dataclass(frozen=True)
class GivenItem:
    """One item of a file. `item` is None if the item has `faults`.

    `number`: its place in the file, from 1. `id`: None if it could not be read.
    """

    number: int
    id: str | None
    item: Item | None
    faults: list[InvalidInput] = field(default_factory=list)


@dataclass(frozen=True)
class BankReading:
    """The items of a file in order.

    `facts`: what the file says of the bank itself (`framework`, `title`, `label`, `retired`), as builtins; empty unless
    the file is JSON.
    """

    items: list[GivenItem]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class GivenRow:
    """One item of a file as builtins, and the faults that its format can detect."""

    item: dict[str, Any] = field(default_factory=dict)
    faults: list[InvalidInput] = field(default_factory=list)

    @property
    def id(self) -> str | None:
        """The id of the item, if it could be read."""
        given_id = self.item.get("id")
        return given_id[:64] if isinstance(given_id, str) else None


def items_of(rows: Iterable[GivenRow], defaults: ItemDefaults) -> list[GivenItem]:
    """Convert rows to items, each with its faults; `defaults` complete rows that lack a skill or a level.

    Raises TooLarge for more items than a bank may hold.
    """
    return list(_items_of(rows, defaults))


def _items_of(rows: Iterable[GivenRow], defaults: ItemDefaults) -> Iterator[GivenItem]:
    usual = {"skill": defaults.skill, "level": defaults.level}
    for number, row in enumerate(rows, 1):
        if number > ITEMS_LIMIT:
            raise TooLarge(f"a bank may hold {ITEMS_LIMIT} items")
        if not row.item:
            yield GivenItem(number, None, None, row.faults)
            continue
        given = {name: value for name, value in usual.items() if value is not None} | row.item
        reported = {fault.field for fault in row.faults}
        found = [*row.faults, *(fault for fault in faults(given, Item) if fault.field not in reported)]
        yield GivenItem(number, row.id, None if found else convert(given, Item), found)


def number_of(text: str) -> float | str:
    """Return the number that a text states, or else the text, which the type of the item's field then rejects."""
    for kind in (int, float) if "_" not in text else ():  # Python would read 1_0 as 10
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def builtins_of(item: Item) -> dict[str, Any]:
    """Return an item as builtins, without fields that hold their defaults."""
    given: dict[str, Any] = msgspec.to_builtins(item)
    return given
