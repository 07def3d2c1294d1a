"""The commands that import and export framework files.

import-framework FILE... --format case-1.1 [--id ID] [--map 'job_group=Role,skill=Skill Name'] [--dry-run]
export-framework ID --format csv [--output FILE]

They read and write the database that the settings name; a running service announces what was imported.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from services.catalog import frameworks
from services.catalog.drafts import check_change, scale_change, unmapped
from services.catalog.entries import framework_in, framework_key
from services.catalog.framework_reading import read_framework
from services.catalog.frameworks import FORMATS, Options, Reading, Source
from services.catalog.frameworks.report import EXAMPLES, Fault
from services.catalog.frameworks.tables import pairs
from services.catalog.store import CatalogStore
from shared.console import kind_of, say, sentence_of
from shared.decoding import convert
from shared.domain import SHARED_TENANT, Framework, Identifier, LocalizedText
from shared.errors import InvalidInput, NotFound, Problem
from shared.mongo import connected
from shared.retries import retry_on_conflict
from shared.settings import CatalogSettings, load

SHOWN = 50


async def import_framework(arguments: Sequence[str]) -> int:
    """Run `import-framework` with its arguments; return 0, or 1 if the file was rejected. Raises Problem, OSError."""
    args = _import_parser().parse_args(arguments)
    title = LocalizedText(th=args.title_th, en=args.title_en) if args.title_th or args.title_en else None
    options = Options(
        id=_identifier(args.id) if args.id else "",
        title=title,
        columns=pairs(args.map) if args.map else {},
        scale=tuple(args.scale.split(",")) if args.scale else (),
        mark=args.mark,
        skip_refused=args.skip_refused,
        sheet=args.sheet,
    )
    reading = read_framework(args.format, [Source(path.name, path) for path in args.files], options)
    if args.report:
        args.report.write_bytes(msgspec.json.format(msgspec.json.encode(reading), indent=2) + b"\n")
    _print(_summary(reading))
    if reading.framework is None:
        _print(["refused: nothing was stored"])
        return 1
    if args.dry_run:
        _print(["dry run: nothing was stored"])
        return 0
    changed, version = await _stored(load(CatalogSettings), args.tenant, reading.framework)
    _print([f"{reading.framework.id}: version {version}" + ("" if changed else ", unchanged")])
    return 0


async def export_framework(arguments: Sequence[str]) -> int:
    """Run `export-framework` with its arguments: write a framework to a file; return 0. Raises Problem, OSError."""
    args = _export_parser().parse_args(arguments)
    settings = load(CatalogSettings)
    with connected(settings, "catalog") as client:
        store = CatalogStore(client[settings.database("catalog")])
        entry = await store.visible_framework(args.tenant, args.id)
    if (framework := framework_in(entry)) is None:
        raise NotFound(f"tenant {args.tenant!r} sees no framework {args.id!r}")
    written = frameworks.write(args.format, framework, datetime.now(UTC))
    path = args.output or Path(f"{args.id}{FORMATS[args.format].suffix}")
    path.write_bytes(written.data)
    _print([f"{path}: {len(written.data)} bytes"])
    _print(f"not held by {args.format}: {lost.what}: {lost.count}" for lost in written.not_held)
    return 0


async def run(arguments: Sequence[str]) -> int:
    """Run the command of COMMANDS that the first argument names; return its exit code.

    A failure is printed in one line, and gives the exit code 2.
    """
    try:
        return await COMMANDS[arguments[0]](arguments[1:])
    except Problem as problem:
        what = problem.detail if problem.field is None else f"{problem.field}: {problem.detail}"
    except OSError as error:
        what = sentence_of(error)
    sys.stderr.write(f"{arguments[0]}: {what}\n")
    return 2


COMMANDS = {"import-framework": import_framework, "export-framework": export_framework}


async def _stored(settings: CatalogSettings, tenant: str, framework: Framework) -> tuple[bool, int]:
    """Store a framework as the tenant's next version; return whether it changed, and its version."""
    with connected(settings, "catalog") as client:
        store = CatalogStore(client[settings.database("catalog")])

        async def decide() -> tuple[bool, int] | None:
            before = await store.find(framework_key(tenant, framework.id))
            check_change(framework_in(before), framework)
            if before and msgspec.structs.replace(framework, version=before.sequence) == before.content:
                return False, before.sequence
            after = await store.put_framework(before, tenant, framework, "")
            if after is None:
                return None
            former = before or await store.find(framework_key(SHARED_TENANT, framework.id))
            _print(_consequences(framework_in(former), framework))
            return True, after.sequence

        return await retry_on_conflict(decide, "this framework")


def _consequences(had: Framework | None, framework: Framework) -> Iterable[str]:
    """Yield what officers lose by a new version: unmapped skills and job groups, and levels of another scale."""
    if had is None:
        return
    lost = {"skills": unmapped(had, framework, "skill"), "job groups": unmapped(had, framework, "job_group")}
    for what, gone in lost.items():
        if gone:
            more = f" and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
            yield f"{what} that are neither there any more nor mapped: {', '.join(gone[:SHOWN])}{more}"
    if note := scale_change(had, framework):
        yield from (note.th or "", note.en or "")


def _identifier(text: str) -> str:
    try:
        return convert(text, Identifier)
    except InvalidInput as error:
        raise InvalidInput(error.detail, "--id") from error


def _summary(reading: Reading) -> Iterable[str]:
    yield f"rows read: {reading.rows}"
    if found := reading.framework:
        counts: Mapping[str, Sequence[object]] = {
            "areas": found.areas,
            "skills": found.skills,
            "levels": found.scale,
            "job groups": found.job_groups,
            "requirements": found.requirements,
            "relations": found.relations,
        }
        yield ", ".join(f"{name}: {len(rows)}" for name, rows in counts.items())
    for what in reading.assumed:
        yield f"assumed: {what}"
    for lost in reading.not_kept:
        yield f"not kept: {lost.what}: {lost.count}" + (f", such as {lost.examples[0]}" if lost.examples else "")
    yield from _faults(reading)


def _faults(reading: Reading) -> Iterable[str]:
    """Yield lines with the first faults of each kind and the number of others; the `untrue` ones come first."""
    kinds: dict[tuple[str, str | None, str], list[Fault]] = {}
    for fault in sorted(reading.faults, key=lambda fault: fault.verdict, reverse=True):
        kinds.setdefault((fault.verdict, fault.field, kind_of(fault.reason)), []).append(fault)
    for found in list(kinds.values())[:SHOWN]:
        for fault in found[:EXAMPLES]:
            parts = (f"row {fault.row}" if fault.row else "", fault.id or "", fault.field or "")
            yield f"{fault.verdict}: {', '.join(filter(None, parts))}: {fault.reason}"
        if (more := len(found) - EXAMPLES) > 0:
            yield f"{found[0].verdict}: {more:,} more of this kind"
    left = reading.further_faults + sum(len(found) for found in list(kinds.values())[SHOWN:])
    if left:
        yield f"and {left:,} more faults"
    if left or any(len(found) > EXAMPLES for found in kinds.values()):
        yield "--report FILE writes them all"


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


def _import_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m services.catalog import-framework", description="Import a framework.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a file, or all files of ESCO or O*NET")
    parser.add_argument("--format", required=True, choices=FORMATS)
    parser.add_argument("--tenant", default=SHARED_TENANT, help="whose framework it becomes (shared)")
    parser.add_argument("--id", help="the id of the framework, if the file has none or another one is wanted")
    parser.add_argument("--title-th", help="its title in Thai")
    parser.add_argument("--title-en", help="its title in English")
    parser.add_argument("--map", help="which column of a table holds what: 'job_group=Role + Role Level,skill=Skill'")
    parser.add_argument("--scale", help="the names of the levels from 0 on, separated by commas")
    parser.add_argument("--mark", type=float, help="the level that a mark such as x means")
    parser.add_argument("--sheet", help="the sheet of a workbook to read, by its name")
    parser.add_argument("--skip-refused", action="store_true", help="take the rest where rows are refused")
    parser.add_argument("--dry-run", action="store_true", help="print what would be stored, and store nothing")
    parser.add_argument("--report", type=Path, help="write the whole report to this file, as JSON")
    return parser


def _export_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m services.catalog export-framework", description="Export a framework.")
    parser.add_argument("id", help="the id of the framework")
    parser.add_argument("--format", required=True, choices=FORMATS)
    parser.add_argument("--tenant", default=SHARED_TENANT, help="the tenant who sees it (shared)")
    parser.add_argument("--output", type=Path, help="the file to write; without it a file named by the id")
    return parser
