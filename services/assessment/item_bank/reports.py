"""The results of importing a file of items. Pure."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from services.assessment.item_bank.formats.reading import BankReading, GivenItem
from services.assessment.item_bank.model import Item, item_faults
from shared.domain import Framework
from shared.errors import InvalidInput

_FAULTS = 20
"""How many faults of an item are reported."""


class ItemFault(Struct, frozen=True, omit_defaults=True):
    """One fault of an item: the message and the field."""

    detail: str
    field: str | None = None


class ItemResult(Struct, frozen=True, omit_defaults=True):
    """The result of one item of a file, compared with the draft or the previous version. Items count from 1."""

    number: int
    id: str | None
    verdict: Literal["created", "changed", "unchanged", "refused"]
    faults: list[ItemFault] = []


class BankImport(Struct, frozen=True):
    """The result of an import, with the number of items for each result.

    `status` is `checked` for a dry run, whose numbers are what an import would do. `removed`: items of the draft, or of
    the newest version if there is no draft, that the file lacks.
    """

    id: str
    status: Literal["checked", "drafted", "published", "unchanged", "refused"]
    version: int | None
    created: int
    changed: int
    unchanged: int
    refused: int
    removed: int
    items: list[ItemResult]


def results_of(reading: BankReading, framework: Framework | None, known: Mapping[str, Item]) -> list[ItemResult]:
    """Return the result of each item of a file; without a framework, skills and levels are not checked."""
    results = []
    first: dict[str, int] = {}
    for one in reading.items:
        faults = [*one.faults, *(item_faults(one.item, framework) if one.item else ())]
        if one.id is not None and (before := first.setdefault(one.id, one.number)) != one.number:
            faults.append(InvalidInput(f"is given twice, first as number {before}", "id"))
        shown = [ItemFault(fault.detail, fault.field) for fault in faults[:_FAULTS]]
        results.append(ItemResult(one.number, one.id, _verdict(one, known, refused=bool(faults)), shown))
    return results


def _verdict(
    one: GivenItem, known: Mapping[str, Item], *, refused: bool
) -> Literal["created", "changed", "unchanged", "refused"]:
    if refused or one.item is None:
        return "refused"
    before = known.get(one.item.id)
    return "created" if before is None else "unchanged" if before == one.item else "changed"
