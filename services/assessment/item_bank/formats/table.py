"""An item bank as CSV: one item per row, columns by name, in UTF-8, UTF-16, TIS-620 or cp1252.

`option1_th`, `option1_en` ... `option10_en`; `right` is the number of the right option of a choice item, 1 for option1;
`thresholds` are separated by spaces. Cells are separated by commas, semicolons, tabs or bars.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from services.assessment.item_bank.formats.reading import (
    BankReading,
    GivenRow,
    ItemDefaults,
    builtins_of,
    items_of,
    number_of,
)
from services.assessment.item_bank.model import ItemBank
from shared.errors import InvalidInput, Malformed
from shared.imports.encodings import Recoder
from shared.imports.tables import delimiter_of, guarded, is_empty, unguarded

_OPTIONS = 10
_TEXTS = ("id", "skill", "kind", "label", "source")
_NUMBERS = ("discrimination", "difficulty", "answers")
COLUMNS = (
    *("id", "skill", "kind", "level", "stem_th", "stem_en"),
    *(f"option{n}_{language}" for n in range(1, _OPTIONS + 1) for language in ("th", "en")),
    *("right", "discrimination", "difficulty", "thresholds", "answers", "label", "source"),
)
_CELL_LIMIT = 10_000


def read(raw: bytes, defaults: ItemDefaults) -> BankReading:
    """Return the items of a table. Raises Malformed, TooLarge, InvalidInput naming a column."""
    recoder = Recoder()
    recoded = b"".join([*recoder.feed(raw), *recoder.end()])
    try:
        text = recoded.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed("the file holds bytes that are no text; save it as CSV UTF-8") from error
    first, _, rest = text.partition("\n")
    delimiter = delimiter_of(first)
    table = io.StringIO(rest if first.startswith("sep=") else text, newline="")
    rows = csv.reader(table, delimiter=delimiter, strict=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
    except csv.Error as error:
        raise Malformed(f"the first row cannot be read: {error}") from error
    for name in header:
        if name and name not in COLUMNS:
            raise InvalidInput(f"unknown column; there are: {', '.join(COLUMNS)}", name[:64])
        if name and header.count(name) > 1:
            raise InvalidInput("this column is given twice", name)
    if "id" not in header:
        raise InvalidInput("the first row is to name the columns, `id` among them", "id")
    return BankReading(items_of(_rows(rows, header), defaults))


def _rows(rows: Iterator[list[str]], header: list[str]) -> Iterator[GivenRow]:
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield GivenRow(faults=[InvalidInput(f"the row cannot be read: {error}")])
            continue
        if not is_empty(row):
            if len(row) > len(header):
                many = f"{len(row)} cells, but the first row names {len(header)} columns"
                yield GivenRow(faults=[InvalidInput(many)])
                continue
            if any(len(cell) > _CELL_LIMIT for cell in row):
                yield GivenRow(faults=[InvalidInput(f"a cell may hold {_CELL_LIMIT} characters")])
                continue
            cells = {name: unguarded(cell) for name, cell in zip(header, row, strict=False) if name}
            yield _item({name: cell for name, cell in cells.items() if cell})


def _item(cells: Mapping[str, str]) -> GivenRow:
    """Return the cells of a row as an item; texts in number columns stay texts, which the item's type rejects."""
    given: dict[str, Any] = {name: cells[name].strip() for name in _TEXTS if name in cells}
    faults: list[InvalidInput] = []
    if "level" in cells:
        given["level"] = number_of(cells["level"])
    given["stem"] = _languages(cells, "stem")
    options = [_languages(cells, f"option{n}") for n in range(1, _OPTIONS + 1)]
    while options and not options[-1]:
        options.pop()
    given["options"] = options
    if "right" in cells:
        right = number_of(cells["right"])
        if not isinstance(right, str) and right in range(1, _OPTIONS + 1):  # 2.0 too, as some spreadsheets write it
            given["key"] = int(right) - 1
        else:
            faults.append(InvalidInput("is to be the number of an option, 1 for option1", "right"))
    parameters: dict[str, Any] = {name: number_of(cells[name]) for name in _NUMBERS if name in cells}
    if "thresholds" in cells:
        parameters["thresholds"] = [number_of(part) for part in cells["thresholds"].split()]
    if parameters:
        given["parameters"] = parameters
    return GivenRow(given, faults)


def _languages(cells: Mapping[str, str], name: str) -> dict[str, str]:
    return {language: cells[f"{name}_{language}"] for language in ("th", "en") if f"{name}_{language}" in cells}


def write(bank: ItemBank) -> bytes:
    """Return a bank as CSV, with a byte order mark so that spreadsheets display Thai."""
    written = io.StringIO(newline="")
    table = csv.writer(written)
    table.writerow(COLUMNS)
    for item in bank.items:
        cells = _cells(builtins_of(item))
        table.writerow([cells.get(name, "") for name in COLUMNS])
    return b"\xef\xbb\xbf" + written.getvalue().encode()


def _cells(given: Mapping[str, Any]) -> dict[str, str]:
    texts: dict[str, str] = {name: given[name] for name in _TEXTS if name in given}
    for name, one in (("stem", given["stem"]), *((f"option{n}", one) for n, one in enumerate(given["options"], 1))):
        texts |= {f"{name}_{language}": text for language, text in one.items()}
    cells = {name: guarded(text) for name, text in texts.items()}
    cells["level"] = repr(given["level"])
    if "key" in given:
        cells["right"] = str(given["key"] + 1)
    parameters = given.get("parameters", {})
    cells |= {name: repr(parameters[name]) for name in _NUMBERS if name in parameters}
    cells["thresholds"] = " ".join(repr(value) for value in parameters.get("thresholds", ()))
    return cells
