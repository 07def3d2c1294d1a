"""Items with their parameters, item banks, and the checks of items and banks. Pure.

An item is `graded` (a descriptor that officers rate themselves on) or `choice` (a question with one right option).
Discrimination (per level), difficulty and thresholds (levels) are on the level scale of the framework:

    choice   P(right | θ)        = 1 / (1 + exp(-discrimination · (θ - difficulty)))        two-parameter logistic (2PL)
    graded   P(option ≥ k | θ)   = 1 / (1 + exp(-discrimination · (θ - thresholds[k - 1]))) graded response model (GRM)

An item without parameters has the starting values of its level (`parameters_of`) until it is calibrated.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared.domain import Framework, Identifier, Level, LocalizedText, ShortText, keep_millionths
from shared.errors import InvalidInput, UnknownName
from shared.texts import folded, shows_something

ITEMS_LIMIT = 20_000
"""How many items a bank may hold."""

STARTING_DISCRIMINATION: dict[str, float] = {"choice": 1.7, "graded": 2.0}
"""The discrimination, per level, of a question and of a descriptor that are not calibrated yet."""

STARTING_SPREAD = 0.6
"""The distance in levels between the thresholds of a graded item that is not calibrated yet."""

ItemKind = Literal["graded", "choice"]
ItemLabel = Literal["starter", "official"]
BankStatus = Literal["draft", "published", "retired"]
Location = Annotated[float, Meta(ge=-100, le=200, description="on the framework's level scale")]


class StemText(Struct, frozen=True, forbid_unknown_fields=True):
    """The text of a question or descriptor, in Thai and in English."""

    th: Annotated[str, Meta(min_length=1, max_length=2000)]
    en: Annotated[str, Meta(min_length=1, max_length=2000)]


class OptionText(Struct, frozen=True, forbid_unknown_fields=True):
    """One option, in Thai and in English."""

    th: Annotated[str, Meta(min_length=1, max_length=500)]
    en: Annotated[str, Meta(min_length=1, max_length=500)]


class ItemParameters(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The parameters of an item: `difficulty` of a choice item, `thresholds` of a graded one (one fewer than options).

    `answers`: how many answers they were fitted to, 0 if they were not fitted.
    """

    discrimination: Annotated[float, Meta(gt=0, le=20, description="per level")]
    difficulty: Location | None = None
    thresholds: list[Location] | None = None
    answers: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0

    def __post_init__(self) -> None:
        keep_millionths(self, "discrimination", least=0.000_001)

    @property
    def boundaries(self) -> list[float]:
        """The levels at which the probability of reaching each next option is one half, in increasing order."""
        return list(self.thresholds or ()) if self.difficulty is None else [self.difficulty]


class Item(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One question or descriptor of a skill, written for a level.

    The options of a graded item are in increasing order. `key`: the index of the right option of a choice item,
    counted from 0.
    """

    id: Identifier
    skill: Identifier
    kind: ItemKind
    level: Level
    stem: StemText
    options: Annotated[list[OptionText], Meta(min_length=2, max_length=10)]
    key: Annotated[int, Meta(ge=0, le=9)] | None = None
    parameters: ItemParameters | None = None
    label: ItemLabel | None = None
    source: ShortText | None = None

    def __post_init__(self) -> None:
        keep_millionths(self, "level")


class BankFacts(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a bank states besides its items. `retired`: new sessions do not use the bank."""

    framework: Identifier
    title: LocalizedText
    label: ItemLabel | None = None
    retired: bool = False


class ItemBank(Struct, frozen=True, omit_defaults=True):
    """A draft or a version of a bank.

    `framework_version`: the version of the framework that the items were checked against. `version`: the number of a
    published version; of a draft, the version that it was made from, 0 if there was none.
    """

    id: Identifier
    framework: Identifier
    title: LocalizedText
    status: BankStatus
    version: int
    framework_version: int
    items: list[Item]
    label: ItemLabel | None = None


def parameters_of(item: Item) -> ItemParameters:
    """Return the parameters of an item, or the starting values for its kind and level.

    The starting difficulty, or the middle of the starting thresholds, is half a level below the level of the item.
    """
    if item.parameters is not None:
        return item.parameters
    middle = item.level - 0.5
    discrimination = STARTING_DISCRIMINATION[item.kind]
    if item.kind == "choice":
        return ItemParameters(discrimination, difficulty=middle)
    count = len(item.options) - 1
    thresholds = [round(middle + STARTING_SPREAD * (k - (count - 1) / 2), 6) for k in range(count)]
    return ItemParameters(discrimination, thresholds=thresholds)


# --- checks ----------------------------------------------------------------------------------------------------------


def item_faults(item: Item, framework: Framework | None) -> list[InvalidInput]:
    """Return the faults of an item that its type does not exclude, each naming its field.

    Without a framework, skill and level are not checked against it.
    """
    found = [*_text_faults(item), *_key_faults(item)]
    if framework is not None and all(skill.id != item.skill for skill in framework.skills):
        found.append(UnknownName(f"framework {framework.id} has no skill {item.skill!r}", "skill"))
    if framework is not None and item.level > framework.max_level:
        found.append(InvalidInput(f"above the scale's top, {framework.max_level:g}", "level"))
    if item.parameters is not None:
        found += _parameter_faults(item, item.parameters)
    return found


def bank_faults(items: Iterable[Item], framework: Framework) -> list[InvalidInput]:
    """Return the faults of all items, each at `items[i].field`, including duplicate ids."""
    found: list[InvalidInput] = []
    first: dict[str, int] = {}
    for i, item in enumerate(items):
        found += [InvalidInput(fault.detail, f"items[{i}].{fault.field}") for fault in item_faults(item, framework)]
        if (before := first.setdefault(item.id, i)) != i:
            found.append(InvalidInput(f"{item.id!r} is given twice, first in items[{before}]", f"items[{i}].id"))
    if len(first) > ITEMS_LIMIT:
        found.append(InvalidInput(f"a bank may hold {ITEMS_LIMIT} items", "items"))
    return found


def coverage(items: Iterable[Item]) -> Mapping[str, dict[float, int]]:
    """Return {skill: {level: number of items}}."""
    counts: dict[str, dict[float, int]] = {}
    for item in items:
        of_skill = counts.setdefault(item.skill, {})
        of_skill[item.level] = of_skill.get(item.level, 0) + 1
    return counts


def _text_faults(item: Item) -> Iterable[InvalidInput]:
    texts = [("stem", item.stem), *((f"options[{i}]", option) for i, option in enumerate(item.options))]
    for place, text in texts:
        for language in ("th", "en"):
            if not shows_something(getattr(text, language)):
                yield InvalidInput("shows nothing", f"{place}.{language}")
    for language in ("th", "en"):
        seen: dict[str, int] = {}
        for i, option in enumerate(item.options):
            if (before := seen.setdefault(folded(getattr(option, language)), i)) != i:
                yield InvalidInput(f"the same text as options[{before}]", f"options[{i}].{language}")


def _key_faults(item: Item) -> Iterable[InvalidInput]:
    if item.kind == "graded" and item.key is not None:
        yield InvalidInput("a graded item has no right option", "key")
    if item.kind == "choice" and item.key is None:
        yield InvalidInput("a choice item needs the index of its right option", "key")
    if item.kind == "choice" and item.key is not None and item.key >= len(item.options):
        yield InvalidInput(f"there are {len(item.options)} options, counted from 0", "key")


def _parameter_faults(item: Item, parameters: ItemParameters) -> Iterable[InvalidInput]:
    if item.kind == "choice":
        if parameters.difficulty is None:
            yield InvalidInput("a choice item needs a difficulty", "parameters.difficulty")
        if parameters.thresholds is not None:
            yield InvalidInput("a choice item has no thresholds", "parameters.thresholds")
        return
    if parameters.difficulty is not None:
        yield InvalidInput("a graded item has thresholds instead", "parameters.difficulty")
    needed = len(item.options) - 1
    if parameters.thresholds is None or len(parameters.thresholds) != needed:
        yield InvalidInput(f"{len(item.options)} options need {needed} thresholds", "parameters.thresholds")
    elif any(upper <= lower for lower, upper in pairwise(parameters.thresholds)):
        yield InvalidInput("must increase", "parameters.thresholds")
