from math import inf

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from services.recommender.closures import Closures
from services.recommender.offers import Offer, Standing, level_condition
from shared.skills import Course, Prerequisite
from tests.builders import FRAMEWORK, after, at, catalogue, course, view_of

CATALOGUES = st.builds(catalogue, st.integers(0, 30), st.just(5), st.integers(0, 10_000))


def opened(courses: list[Course], done: set[str] | None = None, levels: dict[str, float] | None = None) -> Closures:
    standing = Standing({(FRAMEWORK, skill): level for skill, level in (levels or {}).items()}, done or set())
    return Closures(view_of(courses).shelf.doors(FRAMEWORK), standing, lambda _: True)


def offers_of(courses: list[Course]) -> list[Offer]:
    return view_of(courses).shelf.doors(FRAMEWORK).offers


def prices_by_hand(offers: list[Offer], standing: Standing) -> list[float]:
    """Repeat the sentence that defines a price over plain dictionaries, until nothing changes."""
    prices = {offer.id: inf for offer in offers}

    def distinct(offer: Offer) -> list[Prerequisite]:
        return list({msgspec.json.encode(condition): condition for condition in offer.entry(FRAMEWORK)}.values())

    def of(condition: Prerequisite) -> float:
        if standing.meets(condition):
            return 0
        if condition.course is not UNSET:
            return prices.get(condition.course, inf)
        if condition.all is not UNSET:
            return sum(map(of, condition.all))
        if condition.any is not UNSET:
            return min(map(of, condition.any))
        key, level = level_condition(condition)
        return min((prices[it.id] for it in offers if key in it.teaches and it.teaches[key][1] >= level), default=inf)

    while True:
        new = {it.id: it.hours + sum(map(of, distinct(it))) for it in offers if it.id not in standing.done}
        new |= dict.fromkeys(standing.done & set(prices), inf)
        if new == prices:
            return [prices[offer.id] for offer in offers]
        prices = new


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(CATALOGUES, st.dictionaries(st.sampled_from(["s00", "s01", "s02"]), st.sampled_from([1, 2])), st.booleans())
def test_prices_are_those_of_the_rule_worked_out_by_hand(
    courses: list[Course], levels: dict[str, float], first_done: bool
) -> None:
    offers = offers_of(courses)
    done = {"c00000"} if first_done and courses else set()
    standing = Standing({(FRAMEWORK, skill): level for skill, level in levels.items()}, done)
    assert opened(courses, done, levels).prices[: len(offers)].tolist() == prices_by_hand(offers, standing)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(CATALOGUES, st.integers(0, 29))
def test_prices_that_went_on_from_earlier_ones_equal_fresh_ones(courses: list[Course], pick: int) -> None:
    doors = view_of(courses).shelf.doors(FRAMEWORK)
    standing = Standing({}, set())
    closures = Closures(doors, standing, lambda _: True)
    bundle = closures.bundle(doors.offers[pick]) if pick < len(doors.offers) else None
    for offer in bundle.offers if bundle else ():
        assert standing.admits(offer, FRAMEWORK)
        standing.take(offer)
        closures.settle([offer])
        fresh = Closures(doors, standing, lambda _: True)
        assert closures.prices.tolist() == fresh.prices.tolist()
        assert [closures.bundle(it) for it in doors.offers] == [fresh.bundle(it) for it in doors.offers]


def test_circles_and_missing_courses_are_out_of_reach_and_do_not_spoil_what_has_another_way() -> None:
    courses = [
        course("a", ("x", 0, 1), requires=[after("b")]),
        course("b", ("x", 0, 1), requires=[after("a")]),
        course("c", ("x", 0, 1), requires=[after("nowhere")]),
        course("d", ("x", 0, 1), hours=5),
        course("e", ("y", 0, 1), requires=[at("x", 1)]),
    ]
    closures, offers = opened(courses), offers_of(courses)
    assert [closures.bundle(offer) is not None for offer in offers] == [False, False, False, True, True]
    bundle = closures.bundle(offers[4])
    assert bundle is not None
    assert [offer.id for offer in bundle.offers] == ["d", "e"]
    assert bundle.hours == 7_000_000
