"""Item banks as files: the project's JSON, CSV and packages of QTI 3. Written files can be read again.

    reading = read("csv", raw, ItemDefaults(skill="dg-law"))  # all items with their faults; Malformed, TooLarge
    raw = write("qti", bank)                                  # the whole file

A file may leave out what `ItemDefaults` gives; only JSON contains the title and the framework of the bank. In QTI, runs
of spaces and line ends in a text become one space.
"""

from typing import Literal, Protocol

from services.assessment.item_bank.formats import own, qti, table
from services.assessment.item_bank.formats.reading import BankReading, ItemDefaults
from services.assessment.item_bank.model import ItemBank

FormatName = Literal["json", "csv", "qti"]
MEDIA_TYPES: dict[FormatName, str] = {"json": "application/json", "csv": "text/csv", "qti": "application/zip"}


class _Format(Protocol):
    def read(self, raw: bytes, defaults: ItemDefaults, /) -> BankReading: ...

    def write(self, bank: ItemBank, /) -> bytes: ...


_FORMATS: dict[FormatName, _Format] = {"json": own, "csv": table, "qti": qti}


def read(form: FormatName, raw: bytes, defaults: ItemDefaults) -> BankReading:
    """Return the items of a file, each with its faults; `defaults` complete items that lack a skill or a level.

    Raises Malformed, TooLarge, or InvalidInput naming an unknown column or field, for the file as a whole.
    """
    return _FORMATS[form].read(raw, defaults)


def write(form: FormatName, bank: ItemBank) -> bytes:
    """Return the bytes of a file of this format that holds the bank."""
    return _FORMATS[form].write(bank)
