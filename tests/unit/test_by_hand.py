"""The path that docs/ranking.md works out by hand is the planner's, and its tables are those of today."""

import re

import msgspec

from services.recommender.model import MICRO
from services.recommender.ranking import reference
from services.recommender.ranking.evidence import believed
from services.recommender.ranking.gaps import Worth
from tests import by_hand


def test_the_tables_on_the_page_are_those_of_today() -> None:
    page = by_hand.PAGE.read_text(encoding="utf-8")
    assert page == by_hand.written(page), "python -m tests.by_hand writes them anew"
    assert page.count("<!-- by hand: ") == len(by_hand.TABLES)
    section = page.split("\n## One path by hand\n")[1].split("\n## ")[0]
    words = re.sub(r"<!-- by hand.*?<!-- /by hand -->", "", section, flags=re.DOTALL)
    named = re.findall(r"\d+(?:,\d{3})+", words)
    assert named
    assert all(f"| {number} |" in by_hand.tables()["worth"] for number in named)


def test_beliefs_and_worth_are_those_of_the_planner() -> None:
    wants, _ = believed(by_hand.officer(), {one.id: one for one in by_hand.COURSES}.get)
    assert {skill: (by_hand.MEASURED[skill], by_hand.SD, by_hand.level(skill)) for skill in wants} == {
        skill: (it.measured, it.sd, it.level) for skill, it in wants.items()
    }
    found = Worth(wants)
    assert found.gaps == {skill: by_hand.worth(skill, level) for skill, level in by_hand.REQUIRED.items()}
    assert found.of("data", 2) == by_hand.worth("data", 2)


def test_prices_and_bids_are_those_of_the_planner() -> None:
    plan = by_hand.plan()
    prices = plan.problem.prices(plan.seeded)
    ways = plan.problem.courses
    assert set(ways) == {one.id for one in by_hand.COURSES} - {by_hand.DONE}
    for name, members in by_hand.BUNDLES.items():
        assert prices.of(ways[name]) == by_hand.price(name) * MICRO
        assert [way.id for way in plan.problem.bundle(ways[name], prices)] == members
    for power in by_hand.EXPONENTS:
        bids = {bid.goal.id: bid.score for bid in reference.bids(plan.problem, plan.seeded, prices, plan.goals, power)}
        assert bids == {name: by_hand.bid(name, power) for name in by_hand.BUNDLES}


def test_the_path_is_the_same_by_the_planner_and_by_the_readable_rule() -> None:
    path = by_hand.path()
    same = reference.recommend(by_hand.officer(), by_hand.COURSES, path.versions.catalogue)
    assert msgspec.json.encode(same) == msgspec.json.encode(path)
    assert sum(row.contribution for step in path.steps for row in step.closes) == path.coverage.gained
    usual = by_hand.gain("analysis") * 0.9 * 0.9 + by_hand.gain("safety") * 0.9
    assert path.coverage.expected == round(usual)
    assert [step.score for step in path.steps] == [
        by_hand.bid(name, 1)
        for name, members in by_hand.BUNDLES.items()
        for _ in members
        if name in ("analysis", "safety")
    ]
