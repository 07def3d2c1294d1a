"""Identifiers, texts in two languages, and numbers that are rounded to the millionth."""

from math import copysign
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from shared.texts import shows_something

SHARED_TENANT = "shared"
"""The tenant whose frameworks and courses every tenant sees; a tenant's own entry of the same id overrides it."""

Identifier = Annotated[
    # `$` alone would let a line end through
    str,
    Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)", description="ASCII, up to 64 characters"),
]
ShortText = Annotated[str, Meta(min_length=1, max_length=300)]
LongText = Annotated[str, Meta(min_length=1, max_length=5000)]
Level = Annotated[float, Meta(ge=0, le=100, description="on the framework's own scale; 0 = none")]
Hours = Annotated[float, Meta(gt=0, le=10_000)]
WeeklyHours = Annotated[float, Meta(gt=0, le=168, description="at most 168, the hours of a week")]
"""Hours of study a week in a request. Stored profiles and events may hold more, which earlier versions allowed."""
FactName = Annotated[str, Meta(pattern=r"^[^\x00]*$(?!\n)", description="the name of a field")]
"""A key without NUL, which MongoDB refuses."""
Language = Annotated[str, Meta(pattern=r"^[a-z]{2,3}$(?!\n)", description="ISO 639 code")]


NO_TEXT = ("(ไม่มีข้อความ)", "(no text)")
"""The Thai and English text shown where both texts of a pair have no visible character."""


def key_of(tenant: str, identifier: str) -> str:
    """Return `tenant/id`: the key of a document in MongoDB, and of the records about the same subject in Kafka."""
    return f"{tenant}/{identifier}"


def millionths(value: float, least: float = 0.0) -> float:
    """Return a number rounded to the millionth, half to even; never below `least`, never -0.0."""
    return max(round(value, 6), least) + 0.0


def keep_millionths(record: Struct, *fields: str, least: float = 0.0) -> None:
    """Round these fields of a struct as `millionths` does; called by `__post_init__`. Fields without a float stay."""
    for name in fields:
        value = getattr(record, name)
        if not isinstance(value, float) or (value >= least and value.is_integer() and copysign(1.0, value) > 0):
            continue  # as most are; rounding takes longer. -0.0 equals 0.0
        if value <= least or round(value, 6) != value:
            force_setattr(record, name, millionths(value, least))


LEAST = 0.000_001
"""The least positive value of hours, weights and taught levels; smaller ones are raised to it."""


class LocalizedText(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A text in Thai and in English; one language may be missing, not both.

    A text without a visible character counts as missing. If neither text has one, a note to that effect replaces them,
    so that no page shows an empty text; a request with such a text is rejected.
    """

    th: ShortText | None = None
    en: ShortText | None = None

    def __post_init__(self) -> None:
        th, en = self.th, self.en
        if (th or en) and (th is None or shows_something(th)) and (en is None or shows_something(en)):
            return
        th = th if th and shows_something(th) else None
        en = en if en and shows_something(en) else None
        if not (th or en or (self.th and self.th.strip()) or (self.en and self.en.strip())):
            raise ValueError("needs a Thai (`th`) or an English (`en`) text")
        if not (th or en):
            th, en = NO_TEXT
        force_setattr(self, "th", th)
        force_setattr(self, "en", en)

    @property
    def shows_nothing(self) -> bool:
        """Whether the given text had no visible characters; NO_TEXT is in its place."""
        return (self.th, self.en) == NO_TEXT


class Prose(LocalizedText, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A longer text in Thai and in English, such as a description; one language may be missing, not both."""

    th: LongText | None = None
    en: LongText | None = None
