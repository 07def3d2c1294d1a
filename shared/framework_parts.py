"""Frameworks that are too large for one record: divided into parts, and assembled by followers of the catalog.

    parts, header = divided(tenant, framework)          # the parts, and the announcement that names them
    events = await assembly.whole(events, position)     # FrameworkPublished if one is complete

The parts of a version are announced before the FrameworkAnnounced that names them. A follower keeps the parts until
every part has arrived with the announced hash; until then the previous version stays. No I/O.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET
from msgspec.structs import force_setattr

from shared.decoding import stored
from shared.domain import Framework
from shared.errors import Rejected, TooLarge
from shared.events import MAX_PARTS, TOMBSTONE, Event, FrameworkAnnounced, FrameworkPart, FrameworkPublished, part_key

PART_BYTES = 500_000
"""The bytes of rows in one part: with its attributes well below the megabyte that a broker takes."""

ROW_BYTES = 400_000
"""The most bytes of one row; a part that exceeds its size by one such row is still accepted by a broker."""

_ROWS = ("areas", "stages", "job_groups", "skills", "requirements", "relations")
_Content = msgspec.defstruct(
    "_Content", [(one.name, one.type | msgspec.UnsetType, UNSET) for one in msgspec.structs.fields(Framework)]
)
"""Some fields of a framework."""


class AnnouncedParts(NamedTuple):
    """A version of a framework as announced in parts: the parts, then the announcement."""

    parts: list[FrameworkPart]
    header: FrameworkAnnounced


def digest_of(framework: Framework) -> str:
    """Return the digest of a framework's content, independent of its version."""
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(framework, version=0))).hexdigest()[:16]


def divided(tenant: str, framework: Framework) -> AnnouncedParts:
    """Return a framework in parts; equal content and version give equal parts. Raises TooLarge."""
    digest = digest_of(framework)
    contents = list(_contents(framework))
    if len(contents) > MAX_PARTS:
        raise TooLarge(f"it would take {len(contents)} parts of {PART_BYTES} bytes; there may be {MAX_PARTS}")
    parts = [
        FrameworkPart(tenant, framework.id, framework.version, digest, number, msgspec.Raw(content))
        for number, content in enumerate(contents)
    ]
    hashes = [hash_of_content(content) for content in contents]
    return AnnouncedParts(parts, FrameworkAnnounced(tenant, framework.id, framework.version, digest, hashes))


def hash_of_content(content: bytes) -> str:
    """Return the SHA-256 of a part's content in hexadecimal, as an announcement contains it."""
    return hashlib.sha256(content).hexdigest()


def _contents(framework: Framework) -> Iterable[bytes]:
    rest = {name: value for name in framework.__struct_fields__ if (value := getattr(framework, name))}
    part: dict[str, Any] = {name: value for name, value in rest.items() if name not in _ROWS}
    size = len(msgspec.json.encode(part))
    if size > PART_BYTES:
        raise TooLarge(f"the framework without its rows holds {size} bytes; there may be {PART_BYTES}")
    for name in _ROWS:
        for i, row in enumerate(getattr(framework, name)):
            length = len(msgspec.json.encode(row)) + 1
            if length > ROW_BYTES:
                raise TooLarge(f"{name}[{i}] holds {length} bytes; a row may hold {ROW_BYTES}")
            if size + length > PART_BYTES:
                yield msgspec.json.encode(part)
                part, size = {}, 0
            part.setdefault(name, []).append(row)
            size += length
    yield msgspec.json.encode(part)


def assembled(contents: Iterable[bytes]) -> Framework:
    """Return the framework from the contents of all its parts, in order. Raises Rejected."""
    found: dict[str, Any] = {}
    try:
        for content in contents:
            for name, value in msgspec.structs.asdict(_decoded(content)).items():
                if value is UNSET:
                    continue
                if name in _ROWS:
                    found.setdefault(name, []).extend(value)
                else:
                    found[name] = value
        framework: Framework = Framework(**found)
    except (ValueError, TypeError, RecursionError) as error:
        raise Rejected(f"the parts are not a framework: {error}"[:500]) from None
    _share_names(framework)
    return framework


def _decoded(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content, type=_Content)
    except msgspec.ValidationError:  # fields that only a newer version knows
        return stored(msgspec.json.decode(content), _Content)


def _share_names(framework: Framework) -> None:
    """Make equal names in rows of requirements the same object: there may be 100,000 rows."""
    groups = {one.id: one.id for one in framework.job_groups}
    skills = {one.id: one.id for one in framework.skills}
    for row in framework.requirements:
        force_setattr(row, "job_group", groups.get(row.job_group, row.job_group))
        force_setattr(row, "skill", skills.get(row.skill, row.skill))


@dataclass
class _Pending:
    """The received parts of a newer version of one framework. `parts`: key -> version, hash, content.

    `complete_at`: the stamp of the record that completed the parts of `header`; 0 until then.
    """

    header: FrameworkAnnounced | None = None
    complete_at: int = 0
    parts: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)

    def prune(self, held: int) -> None:
        """Remove parts that are applied or superseded."""
        self.parts = {key: part for key, part in self.parts.items() if part[0] > held}
        if self.header and self.header.version <= held:
            self.header, self.complete_at = None, 0

    def matching(self) -> list[bytes]:
        """Return the received contents that match the header."""
        if self.header is None:
            return []
        found = zip(map(self.parts.get, keys_of(self.header)), self.header.parts, strict=True)
        return [part[2] for part, named in found if part and part[1] == named]


def keys_of(header: FrameworkAnnounced) -> list[str]:
    """Return the record keys of the parts that an announcement names."""
    named = header.tenant, header.framework, header.version, header.digest
    return [part_key(*named, number) for number in range(len(header.parts))]


class FrameworkAssembly:
    """Assembles frameworks from their parts for one follower of the catalog. Only the event loop uses it.

    `held` returns the version that the follower has of (tenant, framework), 0 for none.
    """

    def __init__(self, held: Callable[[str, str], int]) -> None:
        self._held = held
        self._pending: dict[tuple[str, str], _Pending] = {}

    async def whole(self, events: Sequence[Event], position: int) -> list[Event]:
        """Return the events, with FrameworkPublished in place of the record that completes a framework.

        Other records about parts are returned without their data, for their stamps. `position`: the largest stamp read
        before; records up to it change nothing. The same events may be passed again until the caller has stored them.
        Raises Rejected if the parts do not form a framework. Contents are decoded in a thread.
        """
        for (tenant, framework), pending in list(self._pending.items()):
            pending.prune(self._held(tenant, framework))
            if not pending.parts and pending.header is None:
                del self._pending[tenant, framework]
        found = []
        for event in events:
            concerns = _concerned(event)
            is_news, position = event.catalog_revision > position, max(event.catalog_revision, position)
            if concerns is None:
                found.append(event)
                continue
            made = await self._take(event, concerns, self._held(*concerns)) if is_news else None
            data = FrameworkPublished(concerns[0], made) if made else None
            found.append(msgspec.structs.replace(event, data=data))
        return found

    async def _take(self, event: Event, concerns: tuple[str, str], held: int) -> Framework | None:
        pending = self._pending.setdefault(concerns, _Pending())
        data = event.data
        if isinstance(data, FrameworkPart) and data.version > held:
            content = bytes(data.content)
            pending.parts[event.subject] = data.version, hash_of_content(content), content
        elif isinstance(data, FrameworkAnnounced) and data.version > max(held, _version(pending.header)):
            pending.header, pending.complete_at = data, 0
        elif data is None:
            pending.parts.pop(event.subject, None)
        header = pending.header
        if header is None or len(contents := pending.matching()) < len(header.parts):
            return None
        pending.complete_at = pending.complete_at or event.catalog_revision
        if pending.complete_at != event.catalog_revision:
            return None
        framework: Framework = await asyncio.to_thread(assembled, contents)
        if (framework.id, framework.version) != (header.framework, header.version):
            raise Rejected(f"the parts are of {framework.id}@{framework.version}, not of {header.framework}")
        return framework

    def unfinished(self) -> dict[str, int]:
        """Return {`tenant/framework@version`: number of missing or wrong parts} of announced, incomplete frameworks."""
        return {
            f"{tenant}/{framework}@{header.version}": len(header.parts) - len(pending.matching())
            for (tenant, framework), pending in self._pending.items()
            if (header := pending.header) and header.version > self._held(tenant, framework)
        }

    def missing_parts(self) -> int:
        """Return how many parts of announced frameworks are missing or wrong."""
        return sum(self.unfinished().values())

    async def warning(self) -> str | None:
        """Return a readiness warning that names incomplete frameworks; None if there are none."""
        found = self.unfinished()
        if not found:
            return None
        incomplete = [f"{name} ({missing} parts missing)" for name, missing in sorted(found.items())]
        return f"the previous version stays: {', '.join(incomplete[:5])}"


def _version(header: FrameworkAnnounced | None) -> int:
    return header.version if header else 0


def _concerned(event: Event) -> tuple[str, str] | None:
    """Return (tenant, framework) of a record about parts; None for any other record."""
    if isinstance(event.data, FrameworkPart | FrameworkAnnounced):
        return event.data.tenant, event.data.framework
    if event.type == TOMBSTONE and "@" in event.subject:
        tenant, _, name = event.subject.partition("/framework:")
        return tenant, name.partition("@")[0]
    return None
