"""The profile of an officer, as the recommender receives it."""

from datetime import date, datetime
from typing import Annotated

from msgspec import Meta, Struct

from shared.domain.values import LEAST, Hours, Identifier, Language, Level, keep_millionths, key_of


class SkillLevel(Struct, frozen=True, omit_defaults=True, gc=False):
    """The current estimate of one level: mean, standard deviation (both in levels), and the time of measurement.

    An event with a standard deviation of 0 is rejected; stored profiles of older versions may contain it.
    """

    framework: Identifier
    skill: Identifier
    level: Level
    sd: Annotated[float, Meta(ge=0, le=100)]
    measured_at: datetime

    def __post_init__(self) -> None:
        keep_millionths(self, "level", "sd")


class Profile(Struct, frozen=True, omit_defaults=True):
    """What the recommender needs to know about an officer. `sequence` grows by one with every accepted change.

    `framework_owner`: the tenant that publishes the framework, which may be `shared`; None in profiles from before
    owners were recorded. `framework_version`: the version of the framework; each owner numbers its own versions.
    """

    tenant: Identifier
    officer: Identifier
    sequence: int
    framework: Identifier
    framework_version: int
    job_group: Identifier
    agency: Identifier
    stage: Identifier | None = None
    languages: list[Language] = []
    weekly_hours: Hours | None = None
    deadline: date | None = None
    levels: list[SkillLevel] = []
    framework_owner: Identifier | None = None

    def __post_init__(self) -> None:
        keep_millionths(self, "weekly_hours", least=LEAST)

    @property
    def key(self) -> str:
        """The key of the officer, `tenant/officer`, in MongoDB and Kafka."""
        return key_of(self.tenant, self.officer)
