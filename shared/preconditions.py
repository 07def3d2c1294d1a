"""Entity tags and the preconditions of a request (RFC 9110, 8.8.3 and 13).

    conditions = Preconditions.of(if_match, if_none_match)      # all lines of both headers; Malformed names the header
    conditions.check(tag)                                        # a change: PreconditionFailed, or nothing
    conditions.unchanged(tag)                                    # a read: True if the answer is 304

`tag` is the tag that a GET would answer this caller now, None if that would be 404.
"""

import re
from collections.abc import Sequence

from msgspec import Struct

from shared.errors import Malformed, PreconditionFailed


class Tag(Struct, frozen=True):
    """An entity tag. Weak: equal tags mean equivalent representations, not equal bytes."""

    opaque: str
    weak: bool = False

    def __str__(self) -> str:
        return f'W/"{self.opaque}"' if self.weak else f'"{self.opaque}"'


# etagc is any visible ASCII character but the quote, and obs-text; a server reads obs-text as surrogates or Latin.
_TAG = re.compile(r'(W/)?"([!#-~\x80-\U0010ffff]*)"')
_SEPARATOR = re.compile(r"[ \t]*,[ \t,]*")


class Preconditions(Struct, frozen=True):
    """`If-Match` and `If-None-Match` of one request: None if the header is absent, () for `*`, else the tags."""

    match: tuple[Tag, ...] | None
    none_match: tuple[Tag, ...] | None

    @classmethod
    def of(cls, if_match: Sequence[str], if_none_match: Sequence[str]) -> "Preconditions":
        """Return the preconditions from the lines of both headers. Raises Malformed naming the header."""
        return cls(_tags("If-Match", if_match), _tags("If-None-Match", if_none_match))

    @property
    def given(self) -> bool:
        """Whether the request has any precondition."""
        return self.match is not None or self.none_match is not None

    def check(self, present: Tag | None) -> None:
        """Check that the preconditions allow a change of what has the tag `present`, None if it does not exist.

        Raises PreconditionFailed naming the header.
        """
        self._check_match(present)
        if self.none_match is not None and _is_one_of(self.none_match, present):
            raise PreconditionFailed(f"it is there already, as {present}", "If-None-Match")

    def unchanged(self, present: Tag) -> bool:
        """Return whether the client's copy is current. Raises PreconditionFailed for an `If-Match` of another tag."""
        self._check_match(present)
        return self.none_match is not None and _is_one_of(self.none_match, present)

    def _check_match(self, present: Tag | None) -> None:
        if self.match is None:
            return
        if present is None:
            raise PreconditionFailed("it is not there", "If-Match")
        if self.match and (present.weak or present not in self.match):  # the strong comparison: no weak tag matches
            raise PreconditionFailed(f"it is at {present}", "If-Match")


def _is_one_of(tags: tuple[Tag, ...], present: Tag | None) -> bool:
    """Compare weakly: W/ makes no difference. Without tags (`*`) any stored representation matches."""
    return present is not None and (not tags or any(tag.opaque == present.opaque for tag in tags))


def _tags(header: str, lines: Sequence[str]) -> tuple[Tag, ...] | None:
    if not lines:
        return None
    text = ",".join(lines).strip(" \t,")
    if text == "*":
        return ()
    found: list[Tag] = []
    place = 0
    while match := _TAG.match(text, place):
        found.append(Tag(match[2], weak=match[1] is not None))
        if match.end() == len(text):
            return tuple(found)
        separator = _SEPARATOR.match(text, match.end())
        if separator is None:
            break
        place = separator.end()
    raise Malformed('needs `*`, or entity tags with commas between them: "7", W/"8"', header)
