"""Removes HTML from the texts of imported files, so that the visible text is left. Pure."""

import re

_NAMES = (
    "a|article|b|blockquote|br|center|code|col|colgroup|dd|del|div|dl|dt|em|figure|font|footer|h[1-6]|header|hr|i|img|ins|"
    "li|mark|o:p|ol|p|pre|s|section|small|span|strike|strong|sub|sup|table|tbody|td|tfoot|th|thead|tr|u|ul"
)
_TAG = re.compile(rf"</?(?:{_NAMES})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_LIKE_A_TYPE = re.compile(r"(?<=\w)<(?!(?:Br|Hr|Img|P|Li|Td|Tr|Th|Dd|Dt|Col)>)([A-Z][a-z]*)>")
"""Words such as `List<A>` and `Vector<Table>`, which are hardly ever HTML: a real element would be closed."""

_CLOSED = re.compile(r"</([a-z]+)")
_BREAK = re.compile(r"<(?:br|hr|/p|/div|/dd|/dt|/li|/tr|/h[1-6])(?:\s[^<>]*)?/?>", re.IGNORECASE)
_UNSEEN = (("<!--", "-->"), ("<style", "</style>"), ("<script", "</script>"))
"""The beginnings and ends of the parts of a page that are not visible."""


def without_tags(text: str) -> str:
    """Return a text without the tags, comments, styles and scripts of HTML; a line ends where a block ends.

    Other words in angle brackets stay, as in `List<T>`. The name of an HTML element stays too if it directly follows a
    word, begins with a capital letter and is never closed, as in `List<A>`.
    """
    if "<" not in text:
        return text
    for begin, end in _UNSEEN:
        text = _without(text, begin, end)
    closed = set(_CLOSED.findall(text.lower()))
    kept = {found[0] for found in _LIKE_A_TYPE.finditer(text) if found[1].lower() not in closed}
    return _TAG.sub(lambda found: found[0] if found[0] in kept else "", _BREAK.sub("\n", text))


def _without(text: str, begin: str, end: str) -> str:
    """Return a text without the parts from `begin` to `end`, in linear time; a part that does not end is kept."""
    lower = text.lower()
    if begin not in lower or len(lower) != len(text):  # some letters have another length in lower case
        return text
    parts: list[str] = []
    place = 0
    while (start := lower.find(begin, place)) >= 0 and (stop := lower.find(end, start)) >= 0:
        parts.append(text[place:start])
        place = stop + len(end)
    return "".join((*parts, text[place:]))
