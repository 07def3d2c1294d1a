"""Divides texts into character n-grams, and finds the n-grams of a query in a text. Pure.

The compared form of a text is Unicode's compatibility form in lower case, without Thai tone marks, accents and
zero-width characters. It keeps letters, digits, `+` and `#`; every other character separates words. In a script with
spaces, a space is added at both ends of a word, so that its beginning and end count. In Thai and other scripts without
spaces, n-grams continue across words.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint64]

_SPACE = 32
_MAPPED = 0x20000
_INVISIBLE = 0xE0000
_BITS = 21
_KEPT_SYMBOLS = frozenset("+#")
_KEPT_MARKS = frozenset("\u0e38\u0e39")
"""The Thai vowels sara u and sara uu, which Unicode counts among the combining marks."""
_DROPPED_MARKS = frozenset("\u0e47\u0e4c\u0e4e\u034f")
_RUNNING_ON = ((0x0E00, 0x0F00), (0x1000, 0x10A0), (0x1780, 0x1800), (0x2E80, 0xA000), (0xF900, 0xFB00))
"""Blocks of scripts that write no spaces between words: Thai and Lao, Burmese, Khmer, Chinese and Japanese."""
_TRIGRAM = 3
_SHOWN_RUN = 5
"""The fewest characters in a row that are highlighted in a script without spaces, unless they are a whole word of the
query."""

FIRST_TRIGRAM = 1 << (2 * _BITS)
"""The first code of a trigram; the codes below are those of bigrams."""


def codes_of(texts: Sequence[str], *, bigrams: bool) -> tuple[Codes, NDArray[np.int64]]:
    """Return two arrays (n,): the code of each n-gram, and the index in `texts` of the text that contains it.

    Trigrams come first; with `bigrams`, bigrams follow.
    """
    joined = "\n".join(["", *(text.replace("\n", " ") for text in texts), ""])
    plain = unicodedata.normalize("NFKD", joined).casefold().replace("\u0e40\u0e40", "\u0e41")
    raw = np.frombuffer(plain.encode("utf-32-le", "replace"), dtype=np.uint32)
    number = np.cumsum(raw == ord("\n")) - 1
    points = _table()[np.minimum(raw, _MAPPED - 1)]
    high = raw >= _MAPPED
    if high.any():
        points[high] = np.where(raw[high] < _INVISIBLE, raw[high], 0)
    kept = points != 0
    points, number = points[kept], number[kept]
    blank = points == _SPACE
    runs = np.ones(len(points), dtype=np.bool_)
    runs[1:] = ~(blank[1:] & blank[:-1])
    points, number, blank = points[runs], number[runs], blank[runs]
    edge = ~blank & _spaced()[np.minimum(points, _MAPPED - 1)]
    wide = points.astype(np.uint64)
    before, middle, after = slice(None, -2), slice(1, -1), slice(2, None)
    whole = ~blank[middle] & (~blank[before] | edge[middle]) & (~blank[after] | edge[middle])
    codes = [((wide[before] << 2 * _BITS) | (wide[middle] << _BITS) | wide[after])[whole]]
    numbers = [number[middle][whole]]
    if bigrams:
        left, right = slice(None, -1), slice(1, None)
        whole = (~blank[left] | edge[right]) & (~blank[right] | edge[left])
        codes.append(((wide[left] << _BITS) | wide[right])[whole])
        numbers.append(np.where(blank[left], number[right], number[left])[whole])
    return np.concatenate(codes), np.concatenate(numbers)


def words_of(text: str) -> list[str]:
    """Return the words of a text in their compared form."""
    return "".join(char for _, char in _compared_chars(text)).split()


def single_range(word: str) -> tuple[int, int]:
    """Return (low, high): the codes c of the bigrams that begin with a character, low <= c < high."""
    return ord(word) << _BITS, (ord(word) + 1) << _BITS


@cache
def _table() -> NDArray[np.uint32]:
    """Return, for each code point, its compared form; 0 means left out."""
    return np.fromiter((_compared(chr(point)) for point in range(_MAPPED)), dtype=np.uint32, count=_MAPPED)


def _compared(char: str) -> int:
    kind = unicodedata.category(char)
    if char in _DROPPED_MARKS or kind == "Cf" or "\ufe00" <= char <= "\ufe0f":
        return 0
    if kind[0] == "M":
        return 0 if unicodedata.combining(char) and char not in _KEPT_MARKS else ord(char)
    if kind == "Nd":
        return ord(str(unicodedata.decimal(char)))
    return ord(char) if kind[0] in "LN" or char in _KEPT_SYMBOLS else _SPACE


@cache
def _spaced() -> NDArray[np.bool_]:
    """Return, for each code point, whether spaces separate the words of its script."""
    spaced = np.ones(_MAPPED, dtype=np.bool_)
    for begin, end in _RUNNING_ON:
        spaced[begin:end] = False
    return spaced


# --- highlighting ----------------------------------------------------------------------------------------------------


class Highlighter:
    """Finds the words of a query in texts, also if they are misspelt there."""

    def __init__(self, query: str) -> None:
        self._words = words_of(query)
        self._grams = {gram for word in self._words for gram in _grams(word)}
        self._short = {word for word in self._words if len(word) < _TRIGRAM}
        running_on = [len(word) for word in self._words if len(word) >= _TRIGRAM and not _is_spaced(word[:1])]
        self._least = min([_SHOWN_RUN, *running_on])

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return (begin, end) of each match, as character positions in `text`, in order and without overlap."""
        places = list(_compared_chars(text))
        marked = [False] * len(places)
        begin = 0
        for end in range(len(places) + 1):
            if end == len(places) or places[end][1] == " ":
                for first, last in self._within("".join(char for _, char in places[begin:end])):
                    marked[begin + first : begin + last] = [True] * (last - first)
                begin = end + 1
        return [(first, _with_marks(text, last)) for first, last in _joined(places, marked)]

    def _within(self, word: str) -> Iterator[tuple[int, int]]:
        """Yield (begin, end) of matches in a word: all of it if half matches; in a script without spaces, its parts."""
        if _is_spaced(word[:1]):
            found = [gram in self._grams for gram in _grams(word)] if len(word) >= _TRIGRAM else []
            if word in self._short or (found and sum(found) * 2 >= len(found)):
                yield 0, len(word)
            return
        for short in self._short:
            yield from (match.span() for match in re.finditer(re.escape(short), word))
        run = -1
        for place, gram in enumerate([*_grams(word), ""]):
            if gram in self._grams:
                run = place if run < 0 else run
            elif run >= 0:
                if place - run + _TRIGRAM - 1 >= self._least:
                    yield run, place + _TRIGRAM - 1
                run = -1


def _grams(word: str) -> list[str]:
    """Return the trigrams of one word; in a script with spaces, with a space at both ends."""
    padded = f" {word} " if _is_spaced(word[:1]) else word
    return [padded[place : place + 3] for place in range(len(padded) - 2)]


def _is_spaced(char: str) -> bool:
    return not char or bool(_spaced()[min(ord(char), _MAPPED - 1)])


def _compared_chars(text: str) -> Iterator[tuple[int, str]]:
    """Yield the compared form of a text, each character with its position in the text."""
    held = -1
    for place, char in enumerate(text):
        for one in _compared_char(char):
            if one == "\u0e40":  # two sara e are one sara ae
                if held >= 0:
                    yield held, "\u0e41"
                    held = -1
                else:
                    held = place
                continue
            if held >= 0:
                yield held, "\u0e40"
                held = -1
            yield place, one
    if held >= 0:
        yield held, "\u0e40"


@lru_cache(maxsize=8192)
def _compared_char(char: str) -> str:
    plain = unicodedata.normalize("NFKD", char).casefold()
    points = (ord(one) if _MAPPED <= ord(one) < _INVISIBLE else _low(ord(one)) for one in plain)
    return "".join(chr(point) for point in points if point)


def _low(point: int) -> int:
    return int(_table()[point]) if point < _MAPPED else 0


def _with_marks(text: str, end: int) -> int:
    """Return the end of a span including the ignored marks after it."""
    while end < len(text) and not _compared_char(text[end]):
        end += 1
    return end


def _joined(places: Sequence[tuple[int, str]], marked: Sequence[bool]) -> list[tuple[int, int]]:
    """Return marked positions as spans of the text, including ignored characters between marked ones."""
    spans: list[tuple[int, int]] = []
    follows = False
    for (place, _), one in zip(places, marked, strict=True):
        if one and follows:
            spans[-1] = (spans[-1][0], max(spans[-1][1], place + 1))
        elif one:
            spans.append((place, place + 1))
        follows = one
    return spans
