"""The shared data types: frameworks, courses and skill profiles, as they are sent between the services.

Every type rejects bad values when it is built or decoded (`msgspec.ValidationError` or `InvalidInput`, both naming the
field). Texts are in Thai and in English. Nothing here fixes a number of areas, job groups or levels.

Levels, weights and hours are rounded to the millionth (`keep_millionths`), so 0.7 * 3 is 2.1 for every reader, stored
or sent, and two values can be compared exactly.
"""

from shared.domain.courses import (
    Completions,
    Confidence,
    Course,
    MatchedRow,
    Prerequisite,
    Rating,
    StatedFact,
    Teaches,
    courses_named,
)
from shared.domain.frameworks import (
    Area,
    Framework,
    JobGroup,
    Provenance,
    Relation,
    Requirement,
    ScaleLevel,
    Skill,
    Stage,
    VersionMapping,
    cycle_text,
    find_cycle,
    mapping_faults,
)
from shared.domain.profiles import Profile, SkillLevel
from shared.domain.values import (
    LEAST,
    NO_TEXT,
    SHARED_TENANT,
    FactName,
    Hours,
    Identifier,
    Language,
    Level,
    LocalizedText,
    LongText,
    Prose,
    ShortText,
    WeeklyHours,
    keep_millionths,
    key_of,
    millionths,
)

__all__ = [
    "LEAST",
    "NO_TEXT",
    "SHARED_TENANT",
    "Area",
    "Completions",
    "Confidence",
    "Course",
    "FactName",
    "Framework",
    "Hours",
    "Identifier",
    "JobGroup",
    "Language",
    "Level",
    "LocalizedText",
    "LongText",
    "MatchedRow",
    "Prerequisite",
    "Profile",
    "Prose",
    "Provenance",
    "Rating",
    "Relation",
    "Requirement",
    "ScaleLevel",
    "ShortText",
    "Skill",
    "SkillLevel",
    "Stage",
    "StatedFact",
    "Teaches",
    "VersionMapping",
    "WeeklyHours",
    "courses_named",
    "cycle_text",
    "find_cycle",
    "keep_millionths",
    "key_of",
    "mapping_faults",
    "millionths",
]
