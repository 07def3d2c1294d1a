"""The lists of files of archives, in each reader of archives: bounded before they are parsed."""

import io
import struct
import zipfile
from collections.abc import Callable

import pytest

from services.assessment.item_bank import formats
from services.assessment.item_bank.formats.reading import ItemDefaults
from services.catalog.frameworks.tables import Source, unpacked
from shared.errors import TooLarge
from shared.imports.archives import files_in
from tests.support.course_lists import read

READERS: dict[str, tuple[Callable[[bytes], object], int]] = {
    "workbook": (lambda raw: read("xlsx", raw), 10_000),
    "framework": (lambda raw: unpacked([Source("a.zip", raw)]), 1000),
    "item bank": (lambda raw: formats.read("qti", raw, ItemDefaults(None, None)), 40_100),
}


def listing(files: int, name: bytes = b"a.txt", comment: bytes = b"") -> bytes:
    """Return an archive of one empty file that its list holds so many times."""
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 33, 0, 0, 0, len(name), 0) + name
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 33, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0) + name
    entries = entry * files
    counted = min(files, 65_535)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, counted, counted, len(entries), len(local), len(comment))
    return local + entries + end + comment


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are parsed from lists of archives."""
    names: list[str] = []

    class Listed(zipfile.ZipInfo):
        def __init__(self, filename: str) -> None:
            names.append(filename)
            super().__init__(filename)

    monkeypatch.setattr(zipfile, "ZipInfo", Listed)
    return names


@pytest.mark.parametrize("name", READERS)
def test_a_list_of_very_many_files_is_refused_before_it_is_parsed(name: str, parsed: list[str]) -> None:
    reader, limit = READERS[name]
    with pytest.raises(TooLarge, match=f"may hold {limit} files"):
        reader(listing(limit + 1))
    assert not parsed


@pytest.mark.parametrize("name", READERS)
def test_a_list_of_very_long_names_is_refused_before_it_is_parsed(name: str, parsed: list[str]) -> None:
    reader, limit = READERS[name]
    with pytest.raises(TooLarge, match=f"the list of them {limit * 256} bytes"):
        reader(listing(limit * 256 // 65_000 + 1, b"a" * 65_000))
    assert not parsed


@pytest.mark.parametrize("comment", [b"", b"x" * 65_535])
def test_as_many_files_as_there_may_be_are_listed(comment: bytes) -> None:
    assert len(files_in(io.BytesIO(listing(300, b"n" * 210, comment)), 300)) == 300


def test_an_archive_in_the_large_form_is_listed_and_bounded() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(65_600):
            archive.writestr(zipfile.ZipInfo(str(number)), b"")
    assert len(files_in(made, 65_600)) == 65_600
    with pytest.raises(TooLarge):
        files_in(made, 65_599)
