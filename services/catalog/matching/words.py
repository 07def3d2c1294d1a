"""The words that two texts share, shown to people as the reason of a match."""

import re
import unicodedata

_RUN = 3
_MOST = 5
_LATIN = re.compile(r"[a-z0-9][a-z0-9+#.-]*")


def shared_words(text: str, other: str) -> list[str]:
    """Return the longest parts of a folded text that are in the other one too, longest first, five at most.

    Words in Latin letters count whole if three quarters of their letters are shared; Thai, which has no spaces, counts
    the shared letters, without marks that lost their letter.
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
