"""Decodes the stored document of a course or a framework, makes its key, and makes the filters of lists.

The key of a course is `tenant/id`, the key of a framework `tenant/framework:id`. No id contains a colon, so a course
and a framework with the same id have different keys, in the collection and in the compacted topic.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from services.catalog.matches import Match, announced, given_rows, with_confirmed
from services.catalog.model import FrameworkSummary, ListCourses
from shared.decoding import stored
from shared.domain import SHARED_TENANT, Course, Framework, key_of
from shared.errors import Conflict

Document = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A stored course or framework. `sequence` is the revision of a course, or the version of a framework.

    `content` is None for a withdrawn course. `unreadable`: whether the document cannot be decoded, for instance after a
    manual change; then `content` is None too, and a PUT replaces the document. `copied`: whether the course is a copy
    that the catalog made of a shared course, see `shared_copies`.
    """

    key: str
    tenant: str
    id: str
    sequence: int
    content: Course | Framework | None
    matches: tuple[Match, ...] = ()
    unreadable: bool = False
    copied: bool = False

    def with_confirmed(self, course: Course) -> Course:
        """Return the new content `course` with the skills that people confirmed in matches of this entry.

        They are added in the frameworks in which `course` lists no skill.
        """
        return with_confirmed(course, self.matches)

    def is_own(self, course: Course | None = None) -> bool:
        """Return whether the tenant itself offers this course; if `course` is given, with exactly this content."""
        offered = isinstance(self.content, Course) and not self.copied
        return offered and (course is None or self.content == course)

    @property
    def is_withdrawn(self) -> bool:
        """Whether it is a course that is not offered any more."""
        return self.content is None and not self.unreadable

    @property
    def shown(self) -> Course | Framework | None:
        """The content as readers see it: a course has its proposals in `matched`, a framework is unchanged."""
        return announced(self.content, self.matches) if isinstance(self.content, Course) else self.content


def framework_in(entry: Entry | None) -> Framework | None:
    """Return the framework that an entry holds; None without an entry, or if it holds no framework."""
    return entry.content if entry and isinstance(entry.content, Framework) else None


def cannot_be_read() -> Conflict:
    """Return the problem (409) that answers a request for an unreadable entry."""
    return Conflict("what is stored under this id cannot be read by this version of the program; a PUT replaces it")


def framework_key(tenant: str, framework: str) -> str:
    """Return the key of a framework: `tenant/framework:id`."""
    return key_of(tenant, f"framework:{framework}")


def is_framework(key: str) -> bool:
    """Return whether a key names a framework, not a course."""
    return ":" in key


def match_fields(course: Course, matches: Sequence[Match], in_use: Mapping[str, AbstractSet[str]]) -> Document:
    """Return the field `match_due`, which tells whether a course waits to be matched.

    It waits if its provider states no skill in one of the frameworks in use, or if it teaches a skill of a former
    version of one. `in_use`: {framework id: skills of its former versions}.
    """
    lacks = bool(in_use.keys() - {row.framework for row in given_rows(course, matches)})
    return {"match_due": lacks or any(row.skill in in_use.get(row.framework, ()) for row in course.teaches)}


def copies_due(tenant: str) -> Document:
    """Return the field that marks a shared course as due for copies; no field for another tenant's course."""
    return {"copies_due": True} if tenant == SHARED_TENANT else {}


def matching(wanted: ListCourses) -> Document:
    """Return the MongoDB filter for the `framework`, `skill` and `language` that a list asks for."""
    taught = _taught(wanted)
    return ({"content.teaches": {"$elemMatch": taught}} if taught else {}) | _in_language(wanted)


def matching_mapped(wanted: ListCourses) -> Document | None:
    """Return the MongoDB filter for courses to whose skills the wanted skill or framework is mapped by a match.

    Returns None if the list asks for no skill and no framework.
    """
    if not (taught := _taught(wanted)):
        return None
    mapped: Document = {"matches.source": "mapped", "matches": {"$elemMatch": taught | {"source": "mapped"}}}
    return mapped | _in_language(wanted)


def _taught(wanted: ListCourses) -> Document:
    return {name: value for name in ("framework", "skill") if (value := getattr(wanted, name)) is not None}


def _in_language(wanted: ListCourses) -> Document:
    return {} if wanted.language is None else {"content.languages": wanted.language}


def teaches(course: Course, wanted: ListCourses) -> bool:
    """Return whether a course teaches the wanted skill in the wanted framework; both may be None for any."""
    if wanted.framework is None and wanted.skill is None:
        return True
    return any(
        wanted.framework in (None, row.framework) and wanted.skill in (None, row.skill) for row in course.teaches
    )


def shown_course(document: Mapping[str, Any]) -> Course:
    """Return the course of a document as readers see it, with its proposals in `matched`."""
    return announced(course_of(document), matches_of(document))


def entry_of(document: Mapping[str, Any]) -> Entry:
    """Return the entry of a document; `content` is None for a framework in parts."""
    content: Course | Framework | None = None
    if document.get("content"):
        content = framework_of(document) if document["kind"] == "framework" else course_of(document)
    matches = tuple(matches_of(document))
    copied = bool(document.get("copied"))
    sequence = stored(document["sequence"], int)
    return Entry(document["_id"], document["tenant"], document["id"], sequence, content, matches, copied=copied)


def unreadable_entry(document: Mapping[str, Any]) -> Entry:
    """Return an entry without content for a document that cannot be decoded."""
    tenant, _, identifier = str(document["_id"]).partition("/")
    name = identifier.removeprefix("framework:")
    return Entry(document["_id"], tenant, name, sequence_of(document), None, unreadable=True)


def sequence_of(document: Mapping[str, Any]) -> int:
    """Return the sequence of a document; 0 if none is stored."""
    sequence = document.get("sequence")
    return sequence if isinstance(sequence, int) and sequence > 0 else 0


def course_of(document: Mapping[str, Any]) -> Course:
    """Return the course of a document as it was put, without proposals in `matched`."""
    return stored(document["content"], Course)


def matches_of(document: Mapping[str, Any]) -> list[Match]:
    """Return the matches of a course's document."""
    return stored(document.get("matches", []), list[Match])


def framework_of(document: Mapping[str, Any]) -> Framework:
    """Return the framework of a document that is not stored in parts."""
    return stored(document["content"], Framework)


def summary_of(document: Mapping[str, Any]) -> FrameworkSummary:
    """Return the summary of a framework from its document, also if the framework is in parts."""
    if "summary" in document:
        return stored(document["summary"], FrameworkSummary)
    return framework_summary(framework_of(document), shared=document["tenant"] == SHARED_TENANT)


def framework_summary(framework: Framework, *, shared: bool) -> FrameworkSummary:
    """Return the summary of a framework; `shared` tells whether all tenants see it."""
    return FrameworkSummary(
        id=framework.id,
        version=framework.version,
        title=framework.title,
        shared=shared,
        areas=len(framework.areas),
        skills=len(framework.skills),
        job_groups=len(framework.job_groups),
    )
