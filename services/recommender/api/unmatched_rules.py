"""Finds values of rules that match no course of the catalog. Pure."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice

from services.recommender.planner.index.catalog import View
from services.recommender.planner.index.vocabulary import MODALITIES
from services.recommender.rules import Rule
from shared.errors import Warned
from shared.texts import folded

_MOST = 1000


def unmatched(rules: Sequence[Rule], mandatory: Sequence[str], view: View) -> list[Warned]:
    """Return a warning for each value of a rule that nothing visible has, and for each mandatory course not visible.

    The value of a rule on skills must be in a visible framework; any other value must be that of a visible course. At
    most 1,000 warnings.
    """
    return list(islice(chain(_in_rules(rules, view), _mandatory(mandatory, view)), _MOST))


def _in_rules(rules: Sequence[Rule], view: View) -> Iterator[Warned]:
    known: dict[str, frozenset[str]] = {}
    for i, rule in enumerate(rules):
        if rule.field not in known:
            known[rule.field] = _known(rule, view)
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


def _known(rule: Rule, view: View) -> frozenset[str]:
    """Return the values that visible courses have in the field of a rule, folded; empty for course ids."""
    if rule.field == "provider":
        return view.providers()
    if rule.field == "language":
        return view.languages()
    if rule.field == "modality":
        return frozenset(MODALITIES)
    if rule.field == "skill":
        return frozenset(folded(skill.id) for one in view.frameworks.values() for skill in one.skills)
    return frozenset()
