"""Which columns of a table hold which fact, as the parameter `map` states it. Pure.

`title=Course name,tags=Skills,tags=Category`: each item states a fact and a column, by its name or as `#3`; an item
with a comma stands in quotes. The item `guess` stands for what is guessed from the names of the columns.
"""

import csv
import re
from collections.abc import Callable, Collection, Mapping, Sequence

from shared.errors import InvalidInput
from shared.texts import folded

GUESS = "guess"


def pairs(text: str, parameter: str, facts: Collection[str]) -> list[tuple[str, str]]:
    """Return (fact, value) for each `fact=value` item of a parameter's text. Raises InvalidInput naming the parameter.

    `facts`: the allowed ones. The item `guess` of `map` becomes ("guess", "").
    """
    found: list[tuple[str, str]] = []
    try:
        items = next(csv.reader([text.replace("\n", " ")], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise InvalidInput(
            "its items are to be separated by commas; quotes hold one with a comma in it", parameter
        ) from error
    for item in items:
        fact, mark, value = item.partition("=")
        if item.strip() == GUESS and parameter == "map":
            found.append((GUESS, ""))
        elif not mark or fact.strip() not in facts:
            raise InvalidInput(f"{item[:100]!r} is not one of: {', '.join(facts)}, followed by =", parameter)
        else:
            found.append((fact.strip(), value.strip().strip('"')))
    return found


def as_map(columns: Mapping[str, Sequence[int]], header: Sequence[str]) -> str:
    """Return the text of `map` that states the same as {fact: numbers of its columns}."""
    items = []
    for fact, numbers in columns.items():
        for number in numbers:
            item = f"{fact}={header[number]}"
            items.append('"' + item.replace('"', '""') + '"' if re.search(r'[,"\n]', item) else item)
    return ",".join(items)


def mapped(
    text: str,
    header: Sequence[str],
    facts: Collection[str],
    several: Collection[str],
    guessed: Callable[[Sequence[str]], dict[str, list[int]]],
) -> dict[str, list[int]]:
    """Return {fact: numbers of its columns, from 0} as `text`, the value of `map`, states it.

    `several`: the facts that more than one column may hold. `guessed`: returns what it guesses from a header. Raises
    InvalidInput naming `map`.
    """
    names = [folded(name) for name in header]
    found: dict[str, list[int]] = {}
    named: set[str] = set()
    for fact, name in pairs(text, "map", facts):
        if fact == GUESS:
            found |= guessed(header)
            continue
        if fact in named and fact not in several:
            raise InvalidInput(f"{fact} is given twice; only {' and '.join(sorted(several))} may", "map")
        named.add(fact)
        number = int(name[1:]) - 1 if re.fullmatch(r"#\d{1,4}", name) else None
        if number is None and names.count(folded(name)) > 1:
            raise InvalidInput(f"two columns are called {name[:100]!r}; name one by its number, such as #3", "map")
        if number is None and folded(name) in names:
            number = names.index(folded(name))
        if number is None or not 0 <= number < len(header):
            raise InvalidInput(f"there is no column {name[:100]!r}; there are: {', '.join(header)[:1000]}", "map")
        earlier = found.get(fact, []) if fact in several else []
        found[fact] = [*(one for one in earlier if one != number), number]
    return found


class MappedTable:
    """Which column of a table holds which fact (a field of the result), as stated or guessed from the first row.

    Until that row is read, the properties are empty.
    """

    def __init__(self) -> None:
        self._header: list[str] | None = None
        self._columns: dict[str, list[int]] = {}

    @property
    def width(self) -> int | None:
        """The number of columns, None before they are known."""
        return len(self._header) if self._header and self._columns else None

    @property
    def header(self) -> list[str]:
        """The names of the columns."""
        return list(self._header or [])

    @property
    def mapping(self) -> dict[str, list[str]]:
        """{fact: names of its columns}."""
        header = self._header or []
        return {fact: [header[number] for number in numbers] for fact, numbers in self._columns.items()}

    @property
    def unused(self) -> list[str]:
        """The names of the columns that hold no fact."""
        used = {number for numbers in self._columns.values() for number in numbers}
        return [name for number, name in enumerate(self._header or []) if number not in used]
