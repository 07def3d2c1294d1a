"""Finds the areas of a table of requirements without a column for them: names alone above their skills. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class NamedRow:
    """The name of a row. `skill`: the id of the skill that it names, None if it stands in another column.

    `is_alone`: whether the row has no other cell.
    """

    row: int
    text: str
    skill: str | None
    is_alone: bool


class AreaNames:
    """The names of the rows so far.

    The table has sections if its first row is a name alone, and a row with further cells is below each such name.
    """

    def __init__(self) -> None:
        self._rows: list[NamedRow] = []

    def see(self, row: NamedRow) -> None:
        """Note the name of the next row."""
        self._rows.append(row)

    @property
    def unnamed(self) -> list[NamedRow]:
        """The rows whose name is that of no skill."""
        return [row for row in self._rows if row.skill is None]

    def areas(self) -> Iterator[tuple[NamedRow, list[str]]]:
        """Yield the name of each section and the ids of the skills below it; nothing if the table has no sections."""
        begins = [place for place, row in enumerate(self._rows) if row.is_alone]
        ends = [*begins[1:], len(self._rows)]
        if not begins or begins[0] or any(end - begin == 1 for begin, end in zip(begins, ends, strict=False)):
            return
        for begin, end in zip(begins, ends[: len(begins)], strict=True):
            yield self._rows[begin], [row.skill for row in self._rows[begin + 1 : end] if row.skill]
