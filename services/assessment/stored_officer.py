"""An officer as stored, a change of an officer, and the conversion of both from and to documents. Without I/O."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

import msgspec
from msgspec import Struct

from services.assessment.model import Evidence
from services.assessment.profile import Statistics
from shared.domain import Profile, key_of
from shared.errors import TooLarge
from shared.events import Envelope
from shared.mongo import Document
from shared.outbox import outbox_insert, outbox_push

MOST_EVIDENCE = 200
"""The most assessments in the officer's document; after a write beyond it the oldest move to the archive."""

KEPT_EVIDENCE = 180
"""How many assessments stay in the document then: one of 20 further ones moves assessments, not each of them."""

PROFILE_BYTES = 2_000_000
"""The largest profile as JSON: it is announced whole, and stored with evidence and events in one document."""

STATISTICS_BYTES = 2_000_000
"""The largest statistics of an officer's evidence, in bytes: some 8,000 skills."""


class AcceptedEvidence(NamedTuple):
    """What is known of an accepted assessment.

    `digest`: of its body. `sequence`: of the profile that resulted. `origin`: as in `Evidence`.
    """

    digest: str
    sequence: int
    origin: str | None


class ImportedRow(NamedTuple):
    """An officer's last bulk registration. `origin`: its import and row. `sequence`: of the profile that resulted."""

    origin: str
    sequence: int


class Officer(Struct, frozen=True):
    """A stored officer; `profile` is None after an erasure.

    `kept`: how many assessments the officer's document holds. `accepted`: those of them that were read, by assessment
    id. `archived`: there are more in the archive.
    `statistics` is None if an earlier release wrote the evidence: `OfficerStore.statistics` computes them. `announced`:
    no event of the officer waits to be sent.
    """

    tenant: str
    officer: str
    sequence: int
    profile: Profile | None
    kept: int = 0
    accepted: dict[str, AcceptedEvidence] = {}
    archived: bool = False
    erased_at: datetime | None = None
    statistics: Statistics | None = None
    registration: ImportedRow | None = None
    announced: bool = False

    @property
    def key(self) -> str:
        """The key of the officer: `tenant/officer`."""
        return key_of(self.tenant, self.officer)


class Change(Struct, frozen=True, dict=True):
    """A change of an officer: the next profile with its event, the new evidence, the statistics of all evidence.

    `before`: the officer as read, None for a new one. `evidence`: with the digests of the bodies. `origin`: the import
    and the row of a bulk registration.
    """

    before: Officer | None
    profile: Profile
    envelope: Envelope
    evidence: Sequence[tuple[Evidence, str]] = ()
    statistics: Statistics | None = None
    origin: str | None = None

    @property
    def overfull(self) -> bool:
        """Whether the document holds too much evidence after the change, so that some must move to the archive."""
        return (self.before.kept if self.before else 0) + len(self.evidence) > MOST_EVIDENCE

    def check(self) -> None:
        """Raise TooLarge if the profile or the stored evidence would exceed its limit."""
        if (size := len(self.envelope.data or b"")) > PROFILE_BYTES:
            raise TooLarge(f"the officer's profile would hold {size} bytes; {PROFILE_BYTES} can be announced")
        if len(self._encoded) > STATISTICS_BYTES:
            raise TooLarge("there would be evidence of too many skills of this officer")

    @cached_property
    def _encoded(self) -> bytes:
        return msgspec.msgpack.encode(self.statistics or {})

    def _fields(self) -> Document:
        made = {"sequence": self.profile.sequence, "erased": False, "profile": msgspec.to_builtins(self.profile)}
        return made if self.origin is None else {**made, "registration": [self.origin, self.profile.sequence]}

    def document(self, *, bulk: bool = False) -> Document:
        """Return the document of a new officer. `bulk`: the event is sent after single changes."""
        owner = {"_id": self.profile.key, "tenant": self.profile.tenant, "officer": self.profile.officer}
        return {**owner, **self._fields(), "evidence": [], **outbox_insert(self.envelope, bulk=bulk)}

    def operators(self, *, bulk: bool = False) -> Document:
        """Return the operators of the update, for a compare-and-set on the previous sequence.

        `bulk`: the event is sent after single changes.
        """
        change = outbox_push(self.envelope, bulk=bulk)
        change["$set"] |= self._fields()
        if self.evidence:
            change["$push"]["evidence"] = {"$each": list(_entries(self.evidence))}
            change["$set"]["statistics"] = self._encoded
        return change


def officer_of(document: Document) -> Officer:
    """Return the officer in a document. `kept` of the document counts evidence of which not all was read."""
    stored, evidence = document.get("profile"), document.get("evidence", [])
    kept = document.get("kept", len(evidence))
    return Officer(
        tenant=document["tenant"],
        officer=document["officer"],
        sequence=document["sequence"],
        profile=msgspec.convert(stored, Profile) if stored else None,
        kept=kept,
        accepted={entry["id"]: accepted_of(entry) for entry in evidence},
        archived=document.get("archived", False),
        erased_at=document.get("erased_at"),
        statistics=_decoded(document, kept),
        registration=ImportedRow(*document["registration"]) if "registration" in document else None,
        announced=document.get("outbox") == [],
    )


def accepted_of(entry: Document) -> AcceptedEvidence:
    evidence = entry["evidence"]
    return AcceptedEvidence(entry["digest"], evidence["profile_sequence"], evidence.get("origin"))


def _decoded(document: Document, kept: int) -> Statistics | None:
    stored = document.get("statistics")
    if stored is None:
        return None if kept or document.get("archived") else {}
    return msgspec.msgpack.decode(stored, type=Statistics)


def _entries(evidence: Iterable[tuple[Evidence, str]]) -> Iterator[Document]:
    for one, digest in evidence:
        yield {"id": one.assessment_id, "digest": digest, "evidence": msgspec.to_builtins(one)}


def archived_of(key: str, entry: Document) -> Document:
    taken_at = _to_the_millisecond(msgspec.convert(entry["evidence"]["taken_at"], datetime))
    return {"officer_key": key, "digest": entry["digest"], "taken_at": taken_at, "evidence": entry["evidence"]}


def _to_the_millisecond(moment: datetime) -> datetime:
    """Return a time at MongoDB's precision (milliseconds)."""
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
