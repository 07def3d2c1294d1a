"""Frameworks in parts: divided and put together, and what a follower makes of records in any order."""

import hashlib

import msgspec
import pytest

from shared.cloudevents import from_kafka, to_kafka
from shared.domain import Framework, key_of
from shared.errors import Rejected, TooLarge
from shared.events import CoursePublished, Data, Event, FrameworkAnnounced, FrameworkPart, FrameworkPublished, new_event
from shared.framework_parts import PART_BYTES, AnnouncedParts, FrameworkAssembly, assembled, divided
from tests.support.builders import FRAMEWORK, TENANT, course, large_framework

OWNER = "shared"


def record(data: Data | None, subject: str, stamp: int, sequence: int = 1) -> Event:
    envelope = new_event("/test", subject, sequence, data)
    return from_kafka(*to_kafka(msgspec.structs.replace(envelope, catalog_revision=stamp)))


def parts_of(made: AnnouncedParts, first: int) -> list[Event]:
    return [record(part, part.key, first + i) for i, part in enumerate(made.parts)]


def header_of(made: AnnouncedParts, stamp: int) -> Event:
    return record(made.header, key_of(OWNER, f"framework:{FRAMEWORK}"), stamp, made.header.version)


class Follower:
    """A follower that holds what the assembly gives it, and remembers at which stamp."""

    def __init__(self) -> None:
        self.held: dict[str, Framework] = {}
        self.stamps: list[int] = []
        self.position = 0
        self.assembly = FrameworkAssembly(lambda _, name: self.held[name].version if name in self.held else 0)

    async def read(self, *events: Event) -> list[Event]:
        found = await self.assembly.whole(events, self.position)
        for event in found:
            if isinstance(event.data, FrameworkPublished):
                self.held[event.data.framework.id] = event.data.framework
                self.stamps.append(event.catalog_revision)
        self.position = max(self.position, *(event.catalog_revision for event in events))
        return found


@pytest.mark.parametrize("version", [1, 7])
def test_an_assembled_framework_equals_the_divided_one(version: int) -> None:
    whole = msgspec.structs.replace(large_framework(), version=version, retired=version > 1)
    made = divided(OWNER, whole)
    contents = [bytes(part.content) for part in made.parts]
    assert len(contents) > 3
    assert max(map(len, contents)) < PART_BYTES + 1000
    assert assembled(contents) == whole
    again = divided(OWNER, assembled(contents))
    assert again.header == made.header
    assert divided(OWNER, msgspec.structs.replace(whole, version=9)).header.digest == made.header.digest


def test_a_row_or_header_too_large_for_a_part_is_rejected_by_position() -> None:
    whole = large_framework()
    long = [msgspec.structs.replace(whole.skills[0], synonyms=[whole.title] * 20_000), *whole.skills[1:]]
    with pytest.raises(TooLarge, match=r"skills\[0\]"):
        divided(OWNER, msgspec.structs.replace(whole, skills=long))
    with pytest.raises(TooLarge, match="without its rows"):
        divided(OWNER, msgspec.structs.replace(whole, scale=[*whole.scale] * 3000))


@pytest.mark.parametrize("header_at", [0, 2, -1], ids=["first", "between", "last"])
async def test_a_version_is_used_once_header_and_all_parts_have_arrived(header_at: int) -> None:
    made = divided(OWNER, large_framework())
    records = [*made.parts]
    place = len(records) if header_at < 0 else header_at
    follower = Follower()
    for i in range(len(records) + 1):
        assert not follower.held
        if i == place:
            await follower.read(header_of(made, i + 1))
        else:
            part = records.pop(0)
            await follower.read(record(part, part.key, i + 1))
    assert follower.held[FRAMEWORK] == large_framework()
    assert follower.stamps == [len(made.parts) + 1]
    assert follower.assembly.missing_parts() == 0
    assert await follower.assembly.warning() is None


async def test_a_missing_part_keeps_the_previous_version_and_is_reported() -> None:
    follower = Follower()
    first = divided(OWNER, large_framework())
    await follower.read(*parts_of(first, 1), header_of(first, 90))
    second = divided(OWNER, large_framework(skills=2100, version=2))
    records = parts_of(second, 101)
    await follower.read(*records[:1], *records[2:], header_of(second, 190))
    assert follower.held[FRAMEWORK].version == 1
    assert follower.assembly.unfinished() == {f"{OWNER}/{FRAMEWORK}@2": 1}
    assert "1 parts missing" in str(await follower.assembly.warning())
    late = second.parts[1]
    await follower.read(record(late, late.key, 191))
    assert follower.held[FRAMEWORK].version == 2
    assert follower.assembly.unfinished() == {}


async def test_a_part_with_another_hash_is_ignored_until_the_right_one_arrives() -> None:
    follower, made = Follower(), divided(OWNER, large_framework())
    wrong = msgspec.structs.replace(made.parts[1], content=msgspec.Raw(b'{"skills":[]}'))
    records = parts_of(made, 1)
    records[1] = record(wrong, wrong.key, 2)
    await follower.read(*records, header_of(made, 90))
    assert (follower.held, follower.assembly.missing_parts()) == ({}, 1)
    await follower.read(record(made.parts[1], made.parts[1].key, 91))
    assert follower.held


async def test_repeated_events_are_assembled_again_only_until_they_are_applied() -> None:
    follower, made = Follower(), divided(OWNER, large_framework())
    events = [*parts_of(made, 1), header_of(made, 90)]
    for _ in range(2):  # a handler that failed behind it is given the same batch again
        found = await follower.assembly.whole(events, 0)
        assert [event.data is not None for event in found] == [False] * len(made.parts) + [True]
    await follower.read(*events)
    for start in (101, 201):  # announced again: the same version is no news
        again = [*parts_of(made, start), header_of(made, start + 90)]
        assert all(event.data is None for event in await follower.read(*again))
    assert follower.position == 291
    assert follower.stamps == [90]


async def test_an_old_record_changes_nothing_and_other_records_pass_through() -> None:
    follower, made = Follower(), divided(OWNER, large_framework())
    other = record(CoursePublished(TENANT, course("c", ("s1", 0, 2))), key_of(TENANT, "c"), 50)
    assert await follower.read(other) == [other]
    await follower.read(*parts_of(made, 10), header_of(made, 51))
    assert (follower.held, follower.assembly.missing_parts()) == ({}, len(made.parts))
    await follower.read(*parts_of(made, 52))
    assert follower.held


async def test_a_withdrawn_part_is_dropped_and_a_superseded_version_is_never_assembled() -> None:
    follower = Follower()
    made, newer = divided(OWNER, large_framework()), divided(OWNER, large_framework(skills=2100, version=2))
    await follower.read(*parts_of(made, 1), record(None, made.parts[0].key, 60, 2), header_of(made, 61))
    assert not follower.held
    await follower.read(*parts_of(newer, 100), header_of(newer, 199))
    assert follower.held[FRAMEWORK].version == 2
    await follower.read(record(made.parts[0], made.parts[0].key, 200), header_of(made, 201))
    assert follower.held[FRAMEWORK].version == 2
    assert follower.assembly.unfinished() == {}


async def test_two_contents_of_one_version_do_not_mix() -> None:
    follower = Follower()
    one, other = divided(OWNER, large_framework()), divided(OWNER, large_framework(skills=2100))
    mixed = [event for pair in zip(parts_of(one, 1), parts_of(other, 1), strict=False) for event in pair]
    for stamp, event in enumerate(mixed, 1):
        await follower.read(msgspec.structs.replace(event, catalog_revision=stamp))
    for stamp, event in enumerate([*parts_of(one, 1), *parts_of(other, 1)], 1000):
        await follower.read(msgspec.structs.replace(event, catalog_revision=stamp))
    await follower.read(header_of(other, 2000))
    assert follower.held[FRAMEWORK] == large_framework(skills=2100)


async def test_parts_that_form_no_framework_are_rejected_and_the_previous_version_stays() -> None:
    follower, made = Follower(), divided(OWNER, large_framework())
    content = b'{"skills":[{"id":"no area"}]}'
    broken = [FrameworkPart(OWNER, FRAMEWORK, 1, made.header.digest, 0, msgspec.Raw(content))]
    named = divided(OWNER, large_framework()).header
    header = FrameworkAnnounced(OWNER, FRAMEWORK, 1, named.digest, [hashlib.sha256(content).hexdigest()])
    await follower.read(record(broken[0], broken[0].key, 1))
    with pytest.raises(Rejected, match="not a framework"):
        await follower.read(record(header, key_of(OWNER, f"framework:{FRAMEWORK}"), 2))
    assert follower.assembly.unfinished() == {f"{OWNER}/{FRAMEWORK}@1": 0}
