"""A row of a file: its content or all of its faults; its result; and the report on all rows. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import Meta, Struct

from shared.decoding import convert, faults
from shared.domain.values import LocalizedText
from shared.errors import Problem, ProblemType, Warned, type_of
from shared.logs import without_secrets

T = TypeVar("T")

ROW_LIMIT = 256 * 1024
"""The most bytes of a row: those of the body of a single PUT."""

WITHOUT_CONTENT_LIMIT = 100_000
"""The most empty or rejected rows of an import; after that the rest is not read."""

BEGINNING = 60
"""The most characters of a row's beginning, and of a cell of a sample."""

_MASKED = 2000
"""The characters of a row that are searched for secrets; more than `BEGINNING` of them are never shown."""


class RowProblem(Struct, frozen=True, omit_defaults=True):
    """One fault of a row: the field and the message.

    `status` and `type`: those of an error answer with the same fault; no `type` for a fault that only imports find.
    """

    status: int
    detail: str
    field: str | None = None
    type: ProblemType | None = None


RowStatus = Literal["created", "changed", "unchanged", "refused"]


class RowResult(Struct, frozen=True, omit_defaults=True):
    """The result of one row of an import. Rows are numbered from 1; in CSV and workbooks the header is row 1.

    `begins`: for a rejected row, its id in the file or its first characters; API keys and passwords are masked.
    `problems`: the faults of the row. `title`: the title of the row's course, masked likewise, if the row has warnings
    or problems and the title can be read.
    """

    line: int
    status: RowStatus
    id: str | None = None
    revision: int | None = None
    begins: str | None = None
    warnings: list[Warned] = []
    problems: list[RowProblem] = []
    title: LocalizedText | None = None


class SampleRow(Struct, frozen=True):
    """The cells of one row of a table, one for each column of the sample."""

    line: int
    cells: list[str]


class TableSample(Struct, frozen=True):
    """The first rows below the header of a table, so that a person sees what its columns hold.

    `columns`: the names of the first 100 columns, in the order of the file. A cell is cut after 60 characters, and API
    keys and passwords are masked.
    """

    columns: list[str]
    rows: list[SampleRow]


class ImportReport(Struct, frozen=True, omit_defaults=True):
    """The result of a whole import. `problem`: why the import stopped before the end of the file.

    The state `interrupted`: the service stopped during the import; what was stored remains.
    """

    import_id: str
    state: Literal["running", "finished", "stopped", "interrupted"]
    format: str
    started_at: datetime
    updated_at: datetime
    dry_run: bool = False
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    encoding: str | None = None
    mapping: dict[str, list[str]] = {}
    unused_columns: list[str] = []
    problem: RowProblem | None = None


class ListImports(Struct, frozen=True, forbid_unknown_fields=True):
    """How many of the latest imports to list."""

    limit: Annotated[int, Meta(ge=1, le=50)] = 10


class ImportList(Struct, frozen=True):
    """The reports of the latest imports."""

    imports: list[ImportReport]


class ListRows(Struct, frozen=True, forbid_unknown_fields=True):
    """Which rows of an import to list: those after the row number `after`, with the result `verdict` if it is given."""

    after: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    verdict: RowStatus | None = None


class RowPage(Struct, frozen=True):
    """Rows of an import in order. `next` is the `after` of the following page, null on the last one."""

    rows: list[RowResult]
    next: int | None


@dataclass
class Row(Generic[T]):
    """A row of a file, numbered from 1. `content`: None if the row cannot be read; then `problems` states why.

    `begins`: the row's id in the file or its first characters, to identify a rejected row. `is_entry`: False if the row
    surely describes nothing, as a row of totals. `doubtful`: names in the content that may name nothing.
    """

    number: int
    content: T | None = None
    begins: str | None = None
    problems: list[RowProblem] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    is_entry: bool = True
    doubtful: list[str] = field(default_factory=list)


def row_of(  # noqa: PLR0913 - what a row is made of
    number: int,
    given: dict[str, Any],
    shape: type[T],
    warnings: list[Warned] | None = None,
    begins: str | None = None,
    *,
    strict: bool = True,
) -> Row[T]:
    """Convert `given`, decoded JSON or {column: cell}, into a row whose content is a struct of the type `shape`.

    Without `strict`, texts are read as numbers and dates. If `given` has faults, the row has them and no content.
    """
    row = Row[T](number, begins=beginning(begins or _begins(given)), warnings=warnings or [])
    try:
        wrong: list[Problem] = list(faults(given, shape, strict=strict))
        if not wrong:
            row.content = convert(given, shape, strict=strict)
    except Problem as problem:
        wrong = [problem]
    row.problems = [refusal(problem) for problem in wrong]
    return row


def refused(number: int, problem: Problem, begins: str | None = None, *, is_entry: bool = True) -> Row[Any]:
    """Return a row without content whose only fault is `problem`. `begins`: the text with which the row begins."""
    return Row(number, begins=beginning(begins), problems=[refusal(problem)], is_entry=is_entry)


def refusal(problem: Problem) -> RowProblem:
    """Convert a problem into a fault of a row."""
    return RowProblem(problem.status, problem.detail, problem.field, type_of(problem.kind))


def beginning(text: str | None) -> str | None:
    """Return the first 60 characters of a row, in which API keys and passwords are masked; None for an empty text."""
    if not text:
        return None
    return without_secrets(text[:_MASKED].encode("utf-8", "replace")).decode()[:BEGINNING]


def masked(title: LocalizedText) -> LocalizedText:
    """Return a title in which API keys and passwords are masked: a column may be read as titles by mistake."""
    th, en = (text and without_secrets(text.encode("utf-8", "replace")).decode() for text in (title.th, title.en))
    return LocalizedText(th, en)


def _begins(given: dict[str, Any]) -> str | None:
    named = given.get("id", given.get("officer"))
    if isinstance(named, str) and named:
        return named
    title = given.get("title")
    words = [one for one in title.values() if isinstance(one, str)] if isinstance(title, dict) else []
    return words[0] if words else None
