"""Keeps the search index of this replica up to date from the catalog's own topic, and searches it in a thread.

Every replica reads `catalog.state` from its beginning, as the recommenders do, so it finds what was announced. A thread
applies events by making a new index, and the event loop replaces the old index by the new one in one step.

While the relay of this process sends a backlog, such as the courses of an import, events are applied more slowly, so
that the relay has more of the processor: the other services wait for its events.
"""

import asyncio
from collections.abc import Sequence

from services.catalog.model import ListCourses
from services.catalog.search.find import Found, find
from services.catalog.search.grams import Highlighter
from services.catalog.search.index import SearchIndex, fold_events, tidy
from shared.domain import Course, LocalizedText
from shared.errors import Unavailable
from shared.events import FrameworkPublished, check_stamps
from shared.framework_parts import FrameworkAssembly
from shared.kafka import Brokers, ConsumedEvent, Follower
from shared.outbox import BACKLOG_WAIT_SECONDS, Staged
from shared.work_queue import Caller, WorkQueue

Highlights = dict[str, dict[str, list[tuple[int, int]]]]


class SearchReplica:
    """The current search index, and the follower that updates it. Only the event loop may use it.

    `work` runs the searches in threads. `assembly` holds the frameworks of which parts have not arrived yet. `staged`
    tells whether the stores of this process have events to send.
    """

    def __init__(self, brokers: Brokers, topic: str, work: WorkQueue, staged: Staged) -> None:
        self.index = SearchIndex.empty()
        self.follower = Follower(brokers, topic, self.on_catalog)
        self.assembly = FrameworkAssembly(lambda tenant, framework: self._versions.get((tenant, framework), 0))
        self._versions: dict[tuple[str, str], int] = {}
        self._work = work
        self._staged = staged
        self._complete = False

    async def on_catalog(self, batch: Sequence[ConsumedEvent]) -> None:
        """Replace the index by one with these events of `catalog.state`. Raises Rejected if a stamp is too high."""
        if self._complete and not self._staged.in_bulk:
            await self._staged.after_backlog(BACKLOG_WAIT_SECONDS)
        events = [item.event for item in batch]
        check_stamps(events, self.index.revision)
        events = await self.assembly.whole(events, self.index.revision)
        self.index = await asyncio.to_thread(fold_events, self.index, events)
        published = [event.data for event in events if isinstance(event.data, FrameworkPublished)]
        self._versions |= {(one.tenant, one.framework.id): one.framework.version for one in published}
        self.index = await asyncio.to_thread(tidy, self.index)

    async def is_ready(self) -> str | None:
        """Return None if the topic has been read to its end once, otherwise a sentence on what is missing."""
        self._complete = self._complete or self.follower.caught_up.is_set()
        return None if self._complete else f"the search index is being built: {self.follower.pending}"

    async def find(self, caller: Caller, tenant: str, wanted: ListCourses) -> Found:
        """Return a page of the courses that a tenant sees, as `wanted` asks; `caller` decides the turn in the queue.

        Raises InvalidInput, TooManyRequests, Overloaded; Unavailable until the index has been built.
        """
        if await self.is_ready():
            raise Unavailable("the search index is being built; try again soon")
        return await self._work.run(caller, find, self.index, tenant, wanted)

    async def highlights(self, caller: Caller, query: str, courses: Sequence[Course]) -> Highlights:
        """Return where the words of a query are in courses, see the function `highlights`.

        Raises TooManyRequests, Overloaded.
        """
        return await self._work.run(caller, highlights, query, courses)


def highlights(query: str, courses: Sequence[Course]) -> Highlights:
    """Return where the words of a query are in courses: {course id: {field: [(begin, end)]}}, in characters.

    A field is named as in `title.th` or `tags[0]`; fields and courses without a word are left out.
    """
    of = Highlighter(query).spans
    found: Highlights = {}
    for course in courses:
        spans = {field: places for field, text in _texts(course) if (places := of(text))}
        if spans:
            found[course.id] = spans
    return found


def _texts(course: Course) -> list[tuple[str, str]]:
    texts = [(f"{name}.{language}", text) for name, both in _localized(course) for language, text in both]
    texts += [(f"tags[{place}]", tag) for place, tag in enumerate(course.tags)]
    return [*texts, ("code", course.code)] if course.code else texts


def _localized(course: Course) -> list[tuple[str, list[tuple[str, str]]]]:
    given: list[tuple[str, LocalizedText | None]] = [
        ("title", course.title),
        ("provider", course.provider),
        ("description", course.description),
    ]
    return [
        (name, [(language, words) for language, words in (("th", text.th), ("en", text.en)) if words])
        for name, text in given
        if text
    ]
