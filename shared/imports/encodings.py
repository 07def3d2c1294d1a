"""Detects the encoding of a text file incrementally. Pure.

UTF-8, with or without a byte order mark, passes through unchanged, even with single faults. UTF-16 is recognised by its
mark or by the upper bytes of ASCII and Thai letters, UTF-32 by its mark. Anything else is read as TIS-620 (cp874) if
bytes above 127 come in runs, as Thai letters do, and otherwise as cp1252; lines of UTF-8 among its lines, as when
files were joined, are read as UTF-8.
"""

import codecs
import re
from collections.abc import Iterator

from shared.errors import InvalidInput, Malformed

NAMES = ("utf-8", "utf-16", "cp1252", "tis-620", "cp874")
"""The encodings that a request may name."""

_ALIASES = {
    "tis-620": "cp874", "tis620": "cp874", "windows-874": "cp874", "iso-8859-11": "cp874",
    "windows-1252": "cp1252", "iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "utf8": "utf-8",
}  # fmt: skip
"""Other names of encodings -> the encoding that such files really have, a superset."""

_BINARY = {
    rb"\x1f\x8b": "gzip", rb"PK\x03\x04": "ZIP, .xlsx", rb"PK\x05\x06": "ZIP",
    rb"\xd0\xcf\x11\xe0": ".xls", rb"%PDF-[12]\.\d": "PDF",
    rb"7z\xbc\xaf\x27\x1c": "7z", rb"Rar!\x1a": "RAR", rb"BZh[1-9]1AY&SY": "bzip2", rb"\xfd7zXZ\0": "xz",
    rb"\x28\xb5\x2f\xfd": "zstd", rb"PAR1\x15": "Parquet", rb"SQLite format 3\0": "SQLite",
    rb"\x89PNG\r\n": "PNG", rb"\xff\xd8\xff": "JPEG",
}  # fmt: skip
"""{pattern of the first bytes: the kind of a file that is no text}. No pattern is a word with which a text begins."""

_LONGEST_MARK = 16
"""The number of bytes within which every mark of a binary file ends."""

_EVIDENCE = 4096
_START = 200
_THAI_BLOCK = 0x0E
"""The upper byte of every Thai letter in UTF-16."""
_HIGH = re.compile(rb"[\x80-\xff]+")
_NOT_THAI = re.compile(rb"[\x81-\x84\x86-\x90\x98-\xa0\xdb-\xde\xfc-\xff]")
_THAI_DIGITS = re.compile(rb"[\xf0-\xf9]{2,}")
"""Thai digits in cp874, as in a date; in cp1252 letters such as ð and ø, two of which never stand together."""
_RUN = 3

_LIKE_UTF_8 = re.compile(rb"\xe0[\xb8\xb9][\x80-\xbf]|[\xc2\xc3][\x80-\xbf]|\xe2\x80[\x80-\xbf]")
"""Thai and accented letters and punctuation in UTF-8."""
_COMMON = re.compile("[\x00-\xff\u0e01-\u0e3a\u0e3f-\u0e5b\u2000-\u206f]*")
"""The signs of a line of UTF-8; three bytes of cp874 may also be a letter of another script in UTF-8."""
_LEAST_SIGNS = 2
_LONGEST_LINE = 1024 * 1024


def eight_bit(raw: bytes) -> str:
    """Return `cp874` or `cp1252` for bytes that are not UTF-8: Thai letters come in runs, accented letters singly."""
    runs = _HIGH.findall(raw)
    thai = sum(
        len(run) for run in runs if (len(run) >= _RUN and not _NOT_THAI.search(run)) or _THAI_DIGITS.fullmatch(run)
    )
    return "cp874" if thai * 2 > sum(map(len, runs)) else "cp1252"


def has_few_faults(raw: bytes) -> bool:
    """Return whether a row that is not UTF-8 is UTF-8 but for a few bytes, as in a text cut within a letter."""
    high = [char for char in raw.decode(errors="surrogateescape") if not char.isascii()]
    valid = "".join(char for char in high if not "\udc80" <= char <= "\udcff")
    return 4 * (len(high) - len(valid)) < len(high) and _COMMON.fullmatch(valid) is not None


class Recoder:
    """Converts a body that arrives in pieces to UTF-8.

    `found`: the named or detected encoding; None while only ASCII has come. It is `cp874, utf-8` if there are lines of
    both.
    """

    def __init__(self, named: str | None = None) -> None:
        """Raises InvalidInput for an unknown encoding."""
        self.found: str | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._held = b""
        self._line: bytes | None = None
        """The beginning of a line whose encoding is not known yet; None if all lines have the same one."""
        self._begun = False
        self._start: bytes | None = b""
        """The first bytes, which name the kind of a binary file; None after those."""
        if named is None:
            return
        name = named.lower().replace("_", "-")
        name = _ALIASES.get(name, name)
        if name not in NAMES:
            raise InvalidInput(f"unknown encoding; known are {', '.join(NAMES)}", "encoding")
        self.found = name
        if name != "utf-8":
            self._decide(self.found)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield, as UTF-8, a piece of the body, and earlier pieces that waited for the detection of the encoding.

        Invalid bytes in a file that is otherwise UTF-8 are passed on unchanged. Raises Malformed for a binary file.
        """
        if self._start is not None:
            self._refuse_binary(piece)
        if self._decoder is None and self.found is None:
            yield from self._look(piece)
        else:
            yield from self._through(piece)

    def end(self) -> Iterator[bytes]:
        """Yield, as UTF-8, what remains at the end of the body."""
        if self._held:
            yield from self._settle()
        if self._line:
            yield b"".join(map(self._decoded, self._line.splitlines(keepends=True)))
        if self._decoder is not None:
            yield self._decoder.decode(b"", final=True).encode()

    def _refuse_binary(self, piece: bytes) -> None:
        self._start = (self._start or b"") + piece[:_LONGEST_MARK]
        for mark, kind in _BINARY.items():
            if re.match(mark, self._start):
                raise Malformed(f"this is a binary file ({kind}), not text; save or unpack it as text first")
        if len(self._start) >= _LONGEST_MARK:
            self._start = None

    def _look(self, piece: bytes) -> Iterator[bytes]:
        self._held += piece
        if not self._begun and not self._begin():
            return
        if self.found is None and not self._held.isascii():
            if _has_utf_8(self._held):
                self.found = "utf-8"
            elif sum(map(len, _HIGH.findall(self._held))) >= _EVIDENCE:
                yield from self._settle()
                return
            else:
                return  # too little to decide
        held, self._held = self._held, b""
        yield from self._through(held)

    def _begin(self) -> bool:
        """Look for a byte order mark or UTF-16; return whether enough bytes have come for that."""
        if len(self._held) < len(codecs.BOM_UTF32_LE) or (
            len(self._held) < _START and (b"\0" in self._held or _THAI_BLOCK in self._held)
        ):
            return False
        self._begun = True
        if wide := _wide(self._held):
            self._decide(wide)
        elif self._held.startswith(codecs.BOM_UTF8):
            self.found = "utf-8"
        return True

    def _through(self, piece: bytes) -> Iterator[bytes]:
        if self._decoder is None:
            yield piece
        elif self._line is None:
            yield self._decoder.decode(piece).encode()
        else:
            whole, end, self._line = (self._line + piece).rpartition(b"\n")
            if len(self._line) > _LONGEST_LINE:
                whole, end, self._line = whole + end, self._line, b""
            if _LIKE_UTF_8.search(whole):
                yield b"".join(map(self._decoded, (whole + end).splitlines(keepends=True)))
            else:
                yield self._decoder.decode(whole + end).encode()

    def _decoded(self, line: bytes) -> bytes:
        """Return a line as UTF-8; it is unchanged if it is UTF-8 among lines of eight bits a letter."""
        text = line.decode(errors="ignore")
        signs = len(text) - sum(map(str.isascii, text))
        if signs >= _LEAST_SIGNS and text.encode() == line and _COMMON.fullmatch(text):
            self.found = f"{(self.found or '').partition(',')[0]}, utf-8"
            return line
        return self._decoder.decode(line).encode() if self._decoder else line

    def _settle(self) -> Iterator[bytes]:
        """Decide the encoding from all buffered bytes."""
        held, self._held = self._held, b""
        if not self._begun and (wide := _wide(held)):
            self._decide(wide)
        elif not held.isascii() and _is_mostly_utf_8(held):
            self.found = "utf-8"
        elif not held.isascii():
            self._decide(eight_bit(_LIKE_UTF_8.sub(b"", held)))
            self._line = b""
        yield from self._through(held)

    def _decide(self, name: str) -> None:
        self.found = name
        # cp1252 leaves five bytes undefined: as in browsers, they are control characters.
        self._decoder = codecs.getincrementaldecoder(name)(errors="replace")


def _wide(start: bytes) -> str | None:
    """Return the encoding of two or four bytes per letter in which a file begins; None if there is none."""
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = start[:_START]
    even, odd = (part.count(0) + part.count(_THAI_BLOCK) for part in (head[::2], head[1::2]))
    least = max(len(head) // 5, 2)
    if odd >= least and even * 4 < odd:
        return "utf-16-le"
    return "utf-16-be" if even >= least and odd * 4 < even else None


def _has_utf_8(raw: bytes) -> bool:
    """Return whether the bytes are valid UTF-8 with at least one character beyond ASCII.

    The last one may be incomplete.
    """
    try:
        return not codecs.getincrementaldecoder("utf-8")().decode(raw).isascii()
    except UnicodeDecodeError:
        return False


def _is_mostly_utf_8(raw: bytes) -> bool:
    """Return whether most of the text is in lines whose valid non-ASCII characters outnumber their invalid bytes."""
    text = 0
    for line in raw.splitlines():
        high = [char for char in line.decode(errors="surrogateescape") if not char.isascii()]
        faults = sum("\udc80" <= char <= "\udcff" for char in high)
        text += len(high) if faults * 2 < len(high) else -len(high)
    return text > 0
