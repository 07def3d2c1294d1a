"""Finds the words that two texts share; people see them as the reason for a match."""

import re
import unicodedata

_RUN = 3
_MOST = 5
_LATIN = re.compile(r"[a-z0-9][a-z0-9+#.-]*")


def shared_words(text: str, other: str) -> list[str]:
    """Return the parts of `text` that `other` contains too, the longest first, at most five. Both texts are normalised.

    A word in Latin letters is returned as a whole if `other` contains it or at least three quarters of its letters.
    Thai has no spaces, so the shared letters are returned, without a combining mark at the beginning.
    """
    runs = {other[place : place + _RUN] for place in range(len(other) - _RUN + 1)}
    same = [False] * len(text)
    for place in range(len(text) - _RUN + 1):
        if text[place : place + _RUN] in runs:
            same[place : place + _RUN] = [True] * _RUN
    words = set(_LATIN.findall(other))
    for word in _LATIN.finditer(text):
        held = word[0] in words or sum(same[word.start() : word.end()]) * 4 >= 3 * (word.end() - word.start())
        same[word.start() : word.end()] = [held] * (word.end() - word.start())
    parts: list[str] = []
    begin = None
    for place, held in enumerate([*same, False]):
        if held and begin is None:
            begin = place
        elif not held and begin is not None:
            parts.append(_trimmed(text[begin:place]))
            begin = None
    found = sorted({part for part in parts if len(part) >= _RUN or part in words}, key=lambda part: (-len(part), part))
    return found[:_MOST]


def _trimmed(part: str) -> str:
    while part and unicodedata.category(part[0]) == "Mn":
        part = part[1:]
    return part.strip(" .,:;()-")
