"""The stored document of a course or a framework: its key, its decoded form, and the filters of lists.

A course's key is `tenant/id`, a framework's `tenant/framework:id`: no identifier contains a colon, so a course and a
framework of the same id have different keys, in the collection and in the compacted topic.
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
    """A stored course or framework; `content` is None for a withdrawn course.

    `unreadable`: the document cannot be decoded, for instance after a manual change. Putting the entry replaces it; its
    `sequence` is 0 if none is stored. `copied`: the catalog's copy of a shared course, see `shared_copies`.
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
        """Return `course`, the new content; if it lists no skills, with the skills that people confirmed here."""
        return with_confirmed(course, self.matches)

    def is_own(self, course: Course | None = None) -> bool:
        """Return whether the tenant itself offers the course, with this content if one is given."""
        offered = isinstance(self.content, Course) and not self.copied
        return offered and (course is None or self.content == course)

    @property
    def shown(self) -> Course | Framework | None:
        """The content as it is shown and announced: a course with its `matched` skills."""
        return announced(self.content, self.matches) if isinstance(self.content, Course) else self.content


def cannot_be_read() -> Conflict:
    """Return the problem of an unreadable entry."""
    return Conflict("what is stored under this id cannot be read by this version of the program; a PUT replaces it")


def framework_key(tenant: str, framework: str) -> str:
    """Return the key of a framework: `tenant/framework:id`."""
    return key_of(tenant, f"framework:{framework}")


def is_framework(key: str) -> bool:
    """Return whether a key is that of a framework."""
    return ":" in key


def match_fields(course: Course, matches: Sequence[Match], in_use: Mapping[str, AbstractSet[str]]) -> Document:
    """Return the field that marks a course as due to be matched.

    It is due if its provider states no skill in one of the frameworks in use (their former skills, by id), or if it
    teaches a former skill of one.
    """
    lacks = bool(in_use.keys() - {row.framework for row in given_rows(course, matches)})
    return {"match_due": lacks or any(row.skill in in_use.get(row.framework, ()) for row in course.teaches)}


def copies_due(tenant: str) -> Document:
    """Return the field that marks a shared course whose copies are to be made again; nothing for other tenants."""
    return {"copies_due": True} if tenant == SHARED_TENANT else {}


def matching(wanted: ListCourses) -> Document:
    """Return the MongoDB filter for a list's parameters, all of which are texts."""
    taught = _taught(wanted)
    return ({"content.teaches": {"$elemMatch": taught}} if taught else {}) | _in_language(wanted)


def matching_mapped(wanted: ListCourses) -> Document | None:
    """Return the filter for courses to which a wanted skill is mapped; None if no skill is wanted."""
    if not (taught := _taught(wanted)):
        return None
    mapped: Document = {"matches.source": "mapped", "matches": {"$elemMatch": taught | {"source": "mapped"}}}
    return mapped | _in_language(wanted)


def _taught(wanted: ListCourses) -> Document:
    return {name: value for name in ("framework", "skill") if (value := getattr(wanted, name)) is not None}


def _in_language(wanted: ListCourses) -> Document:
    return {} if wanted.language is None else {"content.languages": wanted.language}


def teaches(course: Course, wanted: ListCourses) -> bool:
    """Return whether a course teaches the wanted skill, in the wanted framework."""
    if wanted.framework is None and wanted.skill is None:
        return True
    return any(
        wanted.framework in (None, row.framework) and wanted.skill in (None, row.skill) for row in course.teaches
    )


def shown_course(document: Mapping[str, Any]) -> Course:
    """Return the course of a document as it is shown and announced, with its `matched` skills."""
    return announced(course_of(document), matches_of(document))


def entry_of(document: Mapping[str, Any]) -> Entry:
    """Return the entry of a document; without the content of a framework in parts."""
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
    """Return the course of a document, without what is matched to it."""
    return stored(document["content"], Course)


def matches_of(document: Mapping[str, Any]) -> list[Match]:
    """Return the matches of a course's document."""
    return stored(document.get("matches", []), list[Match])


def framework_of(document: Mapping[str, Any]) -> Framework:
    """Return the framework of a document that is not stored in parts."""
    return stored(document["content"], Framework)


def summary_of(document: Mapping[str, Any]) -> FrameworkSummary:
    """Return the summary of a framework's document."""
    if "summary" in document:
        return stored(document["summary"], FrameworkSummary)
    return framework_summary(framework_of(document), shared=document["tenant"] == SHARED_TENANT)


def framework_summary(framework: Framework, *, shared: bool) -> FrameworkSummary:
    """Return the summary of a framework; `shared`: of the tenant `shared`."""
    return FrameworkSummary(
        id=framework.id,
        version=framework.version,
        title=framework.title,
        shared=shared,
        areas=len(framework.areas),
        skills=len(framework.skills),
        job_groups=len(framework.job_groups),
    )
