"""An item bank as JSON: the body of `PUT /v1/item-banks/{bank_id}`, one item per line."""

from typing import Any

import msgspec

from services.assessment.item_bank.formats.reading import BankReading, GivenRow, ItemDefaults, items_of
from services.assessment.item_bank.model import ItemBank
from shared.errors import InvalidInput, Malformed

FACTS = ("framework", "title", "label", "retired")
_READ_ONLY = ("id", "status", "version", "framework_version", "items")


def read(raw: bytes, defaults: ItemDefaults) -> BankReading:
    """Return the items and facts of a bank. Raises Malformed, TooLarge, InvalidInput for an unknown field."""
    try:
        given: Any = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the file is not JSON: {error}") from error
    if not isinstance(given, dict) or not isinstance(given.get("items"), list):
        raise Malformed("the file is to be an object with a list of `items`")
    for name in given:
        if name not in FACTS and name not in _READ_ONLY:
            raise InvalidInput(f"unknown; there are: {', '.join((*FACTS, 'items'))}", str(name)[:64])
    no_object = InvalidInput("an item is to be an object with fields")
    rows = [GivenRow(row) if row and isinstance(row, dict) else GivenRow(faults=[no_object]) for row in given["items"]]
    return BankReading(items_of(rows, defaults), {name: given[name] for name in FACTS if name in given})


def write(bank: ItemBank) -> bytes:
    """Return a bank as JSON, one item per line."""
    facts = {"framework": bank.framework, "title": bank.title, "label": bank.label, "retired": bank.status == "retired"}
    kept = {name: value for name, value in facts.items() if value}
    lines = b",\n".join(msgspec.json.encode(item) for item in bank.items)
    return msgspec.json.encode(kept)[:-1] + b',"items":[\n' + lines + b"\n]}\n"
