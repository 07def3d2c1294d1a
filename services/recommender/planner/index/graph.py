"""The courses that a tenant sees as one net for compiled functions: what each needs, and who needs what it gives.

Courses of the base come first, those beside it after them; needs and branches have numbers of their own, so that
everything stays small where only champions are searched.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from services.recommender.planner.index.segment import (
    ENTRY,
    REQUIRED,
    ROW,
    Ints,
    Longs,
    Segment,
    Table,
    all_needs,
    starts_of,
    within,
)
from services.recommender.planner.index.vocabulary import (
    COURSE_ASKED,
    FIRST,
    LAST,
    LEVEL_ASKED,
    SKILL_ASKED,
    Needs,
)
from services.recommender.planner.jit import laid_out

ASKED_SKILL, ASKED_LEVEL, ANY_FIRST, ANY_LAST, ONLY = range(5)
FIRST_ROW, FIRST_NEED = range(2)


class Net(NamedTuple):
    """N courses, M needs, B branches; numbers, not names.

    `begins` (N + 1): FIRST_ROW and FIRST_NEED; `rows`, `requires` as in Segment, with needs of the net. `asked` (M):
    ASKED_SKILL and ASKED_LEVEL, or branches ANY_FIRST to ANY_LAST, or the course that ONLY meets it; else -1. Branch b
    needs `inner[opens[b]:opens[b + 1]]`, and `branch_need[b]` is met by it. `course_need`: the need that a course meets
    by itself, or -1. Skill s is taught by `teaching[lists[s]:lists[s + 1]]` (course, level), shortest first, and asked
    for by the needs `asking[asks[s]:asks[s + 1]]`, lowest level first. `users[uses[n]:uses[n + 1]]`: who has need n, as
    ~course where it is a `from`; `holders[holds[n]:holds[n + 1]]`: the branches.
    """

    begins: Table
    hours: Longs
    rank: Longs
    rows: Table
    requires: Ints
    asked: Table
    opens: Ints
    inner: Ints
    branch_need: Ints
    course_need: Ints
    lists: Ints
    teaching: Table
    asks: Ints
    asking: Ints
    uses: Ints
    users: Ints
    holds: Ints
    holders: Ints


class Mesh(NamedTuple):
    """A net, and `names`: the numbers that its needs have in `Needs`, sorted up to those that were added `beside`."""

    net: Net
    names: Ints
    beside: dict[int, int]

    def need(self, name: int | None) -> int:
        """Return the net's number of a need; -1 where nothing in the net has it."""
        if name is None:
            return -1
        place = int(np.searchsorted(self.names, name))
        if place < len(self.names) and self.names[place] == name:
            return place
        return self.beside.get(name, -1)


class _Conditions(NamedTuple):
    asked: Table
    opens: Ints
    inner: Ints
    branch_need: Ints


def mesh_of(segment: Segment, needs: Needs, skills: int) -> Mesh:
    """Return the net of one segment."""
    names = all_needs(_needs_in(segment), *needs.read())
    found = _conditions(names, needs, lambda asked: np.searchsorted(names, asked), segment, (0, 0))
    rows, requires = _localised(segment, lambda asked: np.searchsorted(names, asked))
    course_need = np.full(segment.size, -1, np.int32)
    only = np.flatnonzero(found.asked[:, ONLY] >= 0)
    course_need[found.asked[only, ONLY]] = only
    net = _laid_out(
        segment.info[:, [ROW, REQUIRED]], segment.hours, segment.rank, rows, requires, *found, course_need,
        segment.lists, segment.teaching, *_asking(found.asked, skills),
        *_lists(*_users(segment, rows, requires, 0), len(names)), *_lists(*_holders(found, 0), len(names)),
    )  # fmt: skip
    return Mesh(net, names, {})


def mesh_beside(mesh: Mesh, base: Segment, beside: tuple[Segment, Sequence[str]], needs: Needs) -> Mesh:
    """Return the net of a base with the courses beside it, and their ids; they stand in place of those of the base."""
    net, (near, ids) = mesh.net, beside
    wanted = all_needs(_needs_in(near), *needs.read())
    fresh = np.array([name for name in wanted.tolist() if mesh.need(name) < 0], np.int32)
    known = Mesh(net, mesh.names, {int(name): len(mesh.names) + place for place, name in enumerate(fresh)})

    def local(asked: Ints) -> Ints:
        return np.array([known.need(name) for name in asked.tolist()], np.int32)

    found = _conditions(fresh, needs, local, base, (len(net.branch_need), len(net.inner)))
    rows, requires = _localised(near, local)
    asked = np.concatenate([net.asked, found.asked])
    course_need = np.concatenate([net.course_need, np.full(near.size, -1, np.int32)])
    for place in range(len(net.asked), len(asked)):
        if asked[place, ONLY] >= 0:
            course_need[asked[place, ONLY]] = place
    for number, course_id in enumerate(ids, base.size):
        if (need := known.need(needs.known(course_id))) >= 0:
            asked[need, ONLY], course_need[number] = number, need
    begins = near.info[:, [ROW, REQUIRED]] + np.array([len(net.rows), len(net.requires)], np.int32)
    hours = np.concatenate([net.hours, near.hours])
    # Either may have been made when fewer skills had a number.
    skills = max(len(net.lists), len(net.asks), len(near.lists)) - 1
    lists, teaching = _taught(net, near, hours, skills)
    asks, asking = _asking(asked, skills) if len(fresh) or skills >= len(net.asks) else (net.asks, net.asking)
    users, holders = _users(near, rows, requires, base.size), _holders(found, len(net.branch_need))
    longer = _laid_out(
        np.concatenate([net.begins[:-1], begins]), hours, np.concatenate([net.rank, near.rank]),
        np.concatenate([net.rows, rows]), np.concatenate([net.requires, requires]), asked,
        np.concatenate([net.opens[:-1], found.opens]), np.concatenate([net.inner, found.inner]),
        np.concatenate([net.branch_need, found.branch_need]), course_need, lists, teaching, asks, asking,
        *_longer(net.uses, net.users, *users, len(asked)), *_longer(net.holds, net.holders, *holders, len(asked)),
    )  # fmt: skip
    return known._replace(net=longer)


def _laid_out(*parts: Any) -> Net:
    """Return the net of these parts, each laid out in memory as the kernels are compiled for."""
    longs = {"hours", "rank"}
    return Net(
        *(
            laid_out(part, np.int64 if name in longs else np.int32)
            for name, part in zip(Net._fields, parts, strict=True)
        )
    )


def _taught(net: Net, near: Segment, hours: Longs, skills: int) -> tuple[Ints, Table]:
    """Return who teaches each skill, with the courses beside the base where they belong by their hours."""
    lists, more = (
        np.concatenate([part, np.full(skills + 1 - len(part), part[-1], np.int32)]) for part in (net.lists, near.lists)
    )
    taught = near.teaching + np.array([len(net.hours), 0], np.int32)
    skill_of = np.repeat(np.arange(skills), np.diff(more))
    places = [
        lists[skill] + np.searchsorted(hours[net.teaching[lists[skill] : lists[skill + 1], 0]], hours[course], "right")
        for skill, course in zip(skill_of.tolist(), taught[:, 0].tolist(), strict=True)
    ]
    return lists + more, _inserted(net.teaching, np.array(places, np.int64), taught)


def _users(segment: Segment, rows: Table, requires: Ints, before: int) -> tuple[Ints, Ints]:
    """Return needs, and who has each: courses as they are required, ~courses as they are entered at a level."""
    numbers = np.arange(before, before + segment.size, dtype=np.int32)
    owner = np.repeat(numbers, np.diff(segment.info[:, ROW]))
    entered = rows[:, ENTRY] >= 0
    requiring = np.repeat(numbers, np.diff(segment.info[:, REQUIRED]))
    pairs = (rows[entered, ENTRY].astype(np.int64) << 32) | owner[entered]
    alone = ~np.isin(pairs, (requires.astype(np.int64) << 32) | requiring)  # what is also required counts once
    needs = np.concatenate([rows[entered, ENTRY][alone], requires])
    return needs, np.concatenate([~owner[entered][alone], requiring])


def _holders(found: _Conditions, before: int) -> tuple[Ints, Ints]:
    """Return needs, and the branches that hold them."""
    branches = np.arange(before, before + len(found.branch_need), dtype=np.int32)
    return found.inner, np.repeat(branches, np.diff(found.opens))


def _needs_in(segment: Segment) -> Ints:
    entered = segment.rows[:, ENTRY]
    return np.unique(np.concatenate([entered[entered >= 0], segment.requires]))


def _localised(segment: Segment, local: Callable[[Ints], Any]) -> tuple[Table, Ints]:
    """Return rows and requirements with the net's numbers of needs."""
    rows = segment.rows.copy()
    entered = rows[:, ENTRY] >= 0
    rows[entered, ENTRY] = local(rows[entered, ENTRY])
    return rows, np.asarray(local(segment.requires), np.int32)


def _conditions(
    names: Ints, needs: Needs, local: Callable[[Ints], Any], segment: Segment, before: tuple[int, int]
) -> _Conditions:
    """Return what these needs ask for. `before`: branches, and needs of branches, that are numbered already."""
    inner, opens, table = needs.read()
    rows = table[names]
    counts = rows[:, LAST] - rows[:, FIRST]
    branches = within(rows[:, FIRST], counts)
    lengths = np.diff(opens)[branches]
    asked = np.zeros((len(names), 5), np.int32)
    asked[:, ASKED_SKILL], asked[:, ASKED_LEVEL] = rows[:, SKILL_ASKED], rows[:, LEVEL_ASKED]
    asked[:, ANY_LAST] = np.cumsum(counts) + before[0]
    asked[:, ANY_FIRST] = asked[:, ANY_LAST] - counts
    asked[:, ONLY] = segment.find(rows[:, COURSE_ASKED])
    held = inner[within(opens[branches], lengths)]
    places = np.asarray(local(names), np.int32)
    return _Conditions(
        asked, starts_of(lengths) + np.int32(before[1]), np.asarray(local(held), np.int32), np.repeat(places, counts)
    )


def _asking(asked: Table, skills: int) -> tuple[Ints, Ints]:
    """Return the inverted index of the needs that ask for a level."""
    order = np.lexsort((asked[:, ASKED_LEVEL], asked[:, ASKED_SKILL])).astype(np.int32)
    order = order[asked[order, ASKED_SKILL] >= 0]
    return starts_of(np.bincount(asked[order, ASKED_SKILL], minlength=skills)), order


def _lists(keys: Ints, values: Ints, count: int) -> tuple[Ints, Ints]:
    """Return the values of each key, end to end, and where they begin."""
    order = np.argsort(keys, kind="stable")
    return starts_of(np.bincount(keys, minlength=count)), np.asarray(values[order], np.int32)


def _longer(starts: Ints, values: Ints, keys: Ints, more: Ints, count: int) -> tuple[Ints, Ints]:
    """Return lists of `_lists` for so many keys with more values, each at the end of its key's."""
    starts = np.concatenate([starts, np.full(count + 1 - len(starts), starts[-1], np.int32)])
    order = np.argsort(keys, kind="stable")
    values = _inserted(values, starts[keys[order] + 1], more[order])
    return starts + starts_of(np.bincount(keys, minlength=count)), values


def _inserted(values: Ints, places: Any, more: Ints) -> Ints:
    """Return values with more of them, each before its place; those of one place in their order."""
    pieces, before = [], 0
    for number in np.argsort(places, kind="stable").tolist():
        pieces += [values[before : places[number]], more[number : number + 1]]
        before = int(places[number])
    return np.concatenate([*pieces, values[before:]])
