"""The courses of a view as `least` and `obstacles` look them up: by skill, shortest first, and by id."""

from collections.abc import Iterator, Mapping
from heapq import merge

from services.recommender.model import Inputs
from services.recommender.ranking.gaps import Worth
from services.recommender.ranking.index import View
from services.recommender.ranking.least import Stock
from services.recommender.ranking.names import NAMES, micro
from services.recommender.ranking.offers import SkillKey
from services.recommender.ranking.reach import FAR, Prices
from services.recommender.ranking.reference_prices import Level, Way, factor_of, way_of
from services.recommender.ranking.seeker import Field
from shared.skills import Course


def taught(view: View, skill: SkillKey, above: int = 0) -> Iterator[tuple[int, str]]:
    """Yield (micro-level reached, id) of the visible courses that lead beyond a level, shortest first, then by id."""
    base, near = view.shelf.base, view.shelf.near
    number = NAMES.skills.get(skill)
    if number is None:
        return
    found = base.segment.taught(number)
    found = found[found[:, 1] > above]
    hours = base.segment.hours[found[:, 0]].tolist()
    hidden = view.shelf.beside
    whole = (
        (long, base.ids[course], level)
        for long, (course, level) in zip(hours, found.tolist(), strict=True)
        if base.ids[course] not in hidden
    )
    rows = near[0].taught(number).tolist()
    beside = ((int(near[0].hours[course]), near[1][course], level) for course, level in rows if level > above)
    yield from ((level, name) for _, name, level in merge(whole, beside))


def stock_of(  # noqa: PLR0913, PLR0917 - what a plan knows before there is a path
    inputs: Inputs, view: View, worth: Worth, doors: Mapping[SkillKey, float], field: Field, prices: Prices, plain: bool
) -> Stock:
    """Return the courses that an officer may use and can reach. `prices`: settled for this officer."""

    def way(course_id: str) -> Way | None:
        offer = view.offer(course_id)
        if offer is None or not (factor := factor_of(inputs, offer.course, plain=plain)):
            return None
        made = way_of(inputs, worth, offer, factor)
        for number in field.numbers([course_id]):
            return made if prices.price[number] < FAR else None
        if all(isinstance(need, Level) and micro(doors.get(need.skill, 0.0)) >= need.level for need in made.needs):
            return made
        stock.unsure = True  # no champion, so it is not known whether anything leads to it
        return None

    stock = Stock(lambda skill: taught(view, skill), way)
    return stock


def courses_above(inputs: Inputs, view: View, skill: str, above: int) -> Iterator[Course]:
    """Yield the visible courses, not done, that teach a skill beyond a micro-level."""
    for _, name in taught(view, (inputs.framework.id, skill), above):
        if name not in inputs.done and (course := view.course(name)):
            yield course
