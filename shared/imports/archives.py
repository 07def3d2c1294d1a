"""Reads the list of files in a ZIP archive from outside, within bounds, and states why an archive is unreadable."""

import zipfile
import zlib
from typing import IO, cast

from shared.errors import TooLarge

OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
"""How a file begins that is an Excel workbook in the old format, or one with a password."""

UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError)
"""The errors that `zipfile` raises for an archive that cannot be read."""

_LISTED_FILE = b"PK\x01\x02"
"""How every entry in the list of an archive's files begins."""

_LISTED_BYTES = 256
"""The bytes of an entry in the list, on average: 46, its name and what systems add."""


def files_in(archive: IO[bytes], limit: int) -> list[zipfile.ZipInfo]:
    """Return the files of an archive; nothing is decompressed, and the list is bounded before it is parsed.

    `limit`: the most files, at least 256. Raises TooLarge, and the errors of UNREADABLE.
    """
    with zipfile.ZipFile(cast("IO[bytes]", _Bounded(archive, limit))) as opened:
        return opened.infolist()


def why_unreadable(error: Exception) -> str:
    """Return why an archive, or a file in it, cannot be read."""
    if isinstance(error, NotImplementedError):
        return "its compression method is not supported"
    if isinstance(error, RuntimeError):
        return "it is encrypted"
    return "it is damaged"


class _Bounded:
    """A file that `zipfile` opens: the list of files, which it reads at once, is refused beyond the limits.

    The other reads of an archive that is opened are of 64 KiB at most.
    """

    def __init__(self, file: IO[bytes], files: int) -> None:
        self._file = file
        self._files, self._bytes = files, files * _LISTED_BYTES
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """Return bytes as a file does. Raises TooLarge."""
        most = self._bytes + 1
        data = self._file.read(most if size < 0 else min(size, most))
        if len(data) == most or data.count(_LISTED_FILE) > self._files:
            raise TooLarge(f"an archive may hold {self._files} files, and the list of them {self._bytes} bytes")
        return data
