"""The updates that remove acknowledged events from the outboxes of their documents."""

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from pymongo import UpdateMany, UpdateOne

from shared.mongo import Document, Write


class AcknowledgedEvent(NamedTuple):
    """An event that the broker has taken, and its position in which topic of this name (`generation`)."""

    event: str
    sequence: int
    generation: int
    stamp: int
    partition: int
    offset: int


def removals(acknowledged: Mapping[str, Sequence[AcknowledgedEvent]]) -> Iterator[Write]:
    """Yield the updates that remove acknowledged events and note the newest one of each document.

    Documents with one event each, of the same sequence and in the same partition, share an update, for which the server
    needs a third of the time. The update notes the lowest stamp and offset of these events for all of them. So more
    records count as late when they are read back than are late; an event that is announced again without need changes
    nothing.
    """
    together: dict[tuple[int, int, int], dict[str, AcknowledgedEvent]] = {}
    for key, events in acknowledged.items():
        if len(events) == 1:
            [one] = events
            together.setdefault((one.sequence, one.generation, one.partition), {})[key] = one
        else:
            yield UpdateOne({"_id": key}, _removal(events, events[-1]))
    for group in together.values():
        lowest = min(group.values(), key=attrgetter("offset"))
        change = _removal(list(group.values()), lowest)
        if len(group) == 1:  # the driver repeats it by itself
            yield UpdateOne({"_id": next(iter(group))}, change)
        else:
            yield UpdateMany({"_id": {"$in": list(group)}}, change)


def _removal(events: Sequence[AcknowledgedEvent], newest: AcknowledgedEvent) -> Document:
    mark = {
        "sequence": newest.sequence,
        "topic_generation": newest.generation,
        "stamp": newest.stamp,
        "partition": newest.partition,
        "offset": newest.offset,
    }
    # `$max` (by sequence, topic, stamp): a paused relay that acknowledges late must not lower the mark.
    return {"$pull": {"outbox": {"id": {"$in": [one.event for one in events]}}}, "$max": {"acknowledged": mark}}
