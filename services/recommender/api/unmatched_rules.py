"""Finds values of rules that match no course of the catalog, and rules that exclude every course. Pure."""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, islice

from services.recommender.planner.index.catalog import View
from services.recommender.planner.optimizer.query import admits_none
from services.recommender.rules import Rule, rules_within
from shared.domain import Framework
from shared.errors import Warned
from shared.texts import folded

_MOST = 1000


def unmatched(
    rules: Sequence[Rule], mandatory: Sequence[str], view: View, frameworks: Collection[Framework]
) -> list[Warned]:
    """Return a warning for each value of a rule that nothing visible has, and for each mandatory course not visible.

    The value of a rule on skills must be in one of `frameworks`, those of the officers that the rules are for; any
    other value must be that of a visible course. One more warning names the frameworks for which the rules together
    exclude every visible course. At most 1,000 warnings.
    """
    found = chain(_in_rules(rules, view, frameworks), _mandatory(mandatory, view), _together(rules, view, frameworks))
    return list(islice(found, _MOST))


def _in_rules(rules: Sequence[Rule], view: View, frameworks: Collection[Framework]) -> Iterator[Warned]:
    known: dict[str, frozenset[str]] = {}
    for i, rule in enumerate(rules):
        if rule.field not in known:
            known[rule.field] = _known(rule, view, frameworks)
        for j, value in enumerate(rule.values):
            place = f"rules[{i}].values[{j}]"
            if rule.field == "course":
                if not view.courses_like(folded(value)):
                    yield Warned(place, f"unknown course {value[:100]!r}")
            elif folded(value) not in known[rule.field]:
                owner = "framework" if rule.field == "skill" else "course"
                yield Warned(place, f"no {owner} has the {rule.field} {value[:100]!r}")


def _mandatory(mandatory: Sequence[str], view: View) -> Iterator[Warned]:
    for i, course in enumerate(mandatory):
        if view.course(course) is None:
            yield Warned(f"mandatory[{i}]", f"unknown course {course!r}")


def _together(rules: Sequence[Rule], view: View, frameworks: Collection[Framework]) -> Iterator[Warned]:
    excluded = [one.id for one in frameworks if admits_none(rules_within(rules, one), one, view.catalog)]
    if excluded:
        named = ", ".join(excluded)
        yield Warned("rules", f"they exclude every course for {named}; only mandatory and started courses are planned")


def _known(rule: Rule, view: View, frameworks: Collection[Framework]) -> frozenset[str]:
    """Return the values that visible courses or the frameworks have in the field of a rule, folded.

    Empty for course ids.
    """
    if rule.field == "provider":
        return view.providers()
    if rule.field == "language":
        return view.languages()
    if rule.field == "modality":
        return view.modalities()
    if rule.field == "skill":
        return frozenset(folded(skill.id) for one in frameworks for skill in one.skills)
    return frozenset()
