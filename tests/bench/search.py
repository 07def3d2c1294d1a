"""The time of a search among 100,000 courses on one core, compared with a plain scan of their titles.

    python -m tests.bench.search [--quick]     these figures alone

The courses are made of the titles and descriptions of the starter courses, cut and combined again; the queries are
parts of titles, half of them with a misspelling. What is timed is what a request asks of its thread, in CPU time: the
page, the number of courses, facets and cursor. The scan looks for the query in each folded title, which finds no
misspelling and ranks nothing.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain

import msgspec
import psutil
from rich.console import Console

from deploy.local.processes import ROOT
from services.catalog.model import ListCourses
from services.catalog.search.find import find
from services.catalog.search.index import SearchIndex, fold_events, tidy
from shared.domain import SHARED_TENANT, Course, LocalizedText, Prose, key_of
from shared.events import CoursePublished, Event, new_event
from shared.texts import fold
from tests.bench import report
from tests.bench.figures import Figure, median, percentile

COURSES = 100_000
_QUERIES = 400
_BATCH = 500
_P99_MS = 50.0
_TIMES_A_SCAN = 3.0
_SEED = ROOT / "deploy" / "seed" / "courses.ndjson"


def courses(count: int, chance: random.Random) -> Iterator[Course]:
    """Yield made-up courses with titles in both languages and a description of 500 characters."""
    known = [msgspec.json.decode(line, type=Course) for line in _SEED.read_bytes().splitlines()]
    thai = [one.title.th for one in known if one.title.th]
    english = [one.title.en.split() for one in known if one.title.en]
    for number in range(count):
        first, second = chance.sample(thai, 2)
        th = first[: chance.randrange(len(first)) + 1] + second[len(second) // 2 :]
        en = " ".join(chance.sample(chance.choice(english) + chance.choice(english) + ["and", "for"], 4))
        description = Prose(
            th="".join(chance.sample(thai, 8))[:250], en=" ".join(chain(*chance.sample(english, 8)))[:250]
        )
        yield msgspec.structs.replace(
            chance.choice(known),
            id=f"c-{number:06}",
            title=LocalizedText(th, en),
            description=description,
            provider=LocalizedText(en=f"Provider {number % 200}"),
            tags=[f"tag {number % 300}"],
        )


def measure(count: int) -> list[Figure]:
    """Return what a search among so many courses takes, and what the index takes."""
    chance = random.Random(4)  # noqa: S311 - the same courses each time
    process = psutil.Process()
    before = process.memory_info().rss
    index, titles, seconds = _index(count, chance)
    grown = (process.memory_info().rss - before) / 1024 / count
    queries = [_misspelt(_part(chance.choice(titles), chance), chance) for _ in range(_QUERIES)]
    find(index, "agency", ListCourses(q="warm"))
    searches, scans = [], []
    for query in queries:
        searches.append(_ms(partial(find, index, "agency", ListCourses(q=query, limit=20))))
        scans.append(_ms(partial(_scan, titles, fold(query))))
    name = f"search among {count:,} courses, CPU"
    return [
        Figure(f"{name}, median, beside a scan of the titles", median(searches), "ms", median(scans), _TIMES_A_SCAN),
        Figure(f"{name}, 99th percentile, beside {_P99_MS:g} ms", percentile(searches, 0.99), "ms", _P99_MS, 1.0),
        Figure("search index, CPU for each course", 1000 * seconds / count, "ms"),
        Figure("search index, memory for each course, with its title for the scan", grown, "KiB"),
    ]


def _index(count: int, chance: random.Random) -> tuple[SearchIndex, list[str], float]:
    index, seconds = SearchIndex.empty(), 0.0
    titles: list[str] = []
    batch: list[Event] = []
    for number, course in enumerate(courses(count, chance), 1):
        titles.append(fold(f"{course.title.th} {course.title.en}"))
        envelope = new_event("/bench", key_of(SHARED_TENANT, course.id), 1, CoursePublished(SHARED_TENANT, course))
        batch.append(
            Event(
                envelope.id,
                envelope.type,
                envelope.source,
                envelope.subject,
                envelope.time,
                1,
                CoursePublished(SHARED_TENANT, course),
                catalog_revision=number,
            )
        )
        if len(batch) == _BATCH or number == count:
            begun = time.process_time()
            index = tidy(fold_events(index, batch))
            seconds += time.process_time() - begun
            batch = []
    return index, titles, seconds


def _scan(titles: list[str], query: str) -> int:
    return sum(query in title for title in titles)


def _part(title: str, chance: random.Random) -> str:
    begin = chance.randrange(max(1, len(title) - 5))
    return title[begin : begin + chance.randrange(5, 40)]


def _misspelt(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text))
    return text[:place] + text[place + 1 :] if len(text) > 4 and chance.random() < 0.5 else text


def _ms(work: Callable[[], object]) -> float:
    begun = time.thread_time()
    work()
    return 1000 * (time.thread_time() - begun)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.search", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the courses")
    count = COURSES // 10 if parser.parse_args().quick else COURSES
    Console().print(report.table(measure(count)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
