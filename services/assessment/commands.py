"""The operator's commands for a file of items: `import`, `export` and `check`.

`import` and `export` connect to a running assessment service at `--url` or ASSESSMENT_URL; ASSESSMENT_KEY holds the key
of an admin of the tenant that owns the bank. `check` needs no service. The exit code is 0 if every item was accepted, 1
if some were rejected, 2 if the command failed, 130 if it was interrupted.
"""

import argparse
import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path

import aiohttp
import msgspec

from services.assessment.item_bank import formats
from services.assessment.item_bank.formats import MEDIA_TYPES, FormatName
from services.assessment.item_bank.formats.reading import ItemDefaults
from services.assessment.item_bank.model import coverage
from services.assessment.item_bank.reports import BankImport, ItemResult, results_of
from shared.console import (
    OK,
    REFUSED,
    add_file,
    add_url,
    authorization,
    carry_out,
    format_of,
    refused,
    replacing,
    say,
    say_counts,
    where,
    whole_number,
)
from shared.decoding import decode
from shared.domain import Framework

NAMES = ("import", "export", "check")
_ENDINGS: dict[str, FormatName] = {".json": "json", ".csv": "csv", ".tsv": "csv", ".zip": "qti", ".xml": "qti"}
_SHOWN = 20
_DEFAULT_URL = "http://127.0.0.1:8101"


class _Refusal(msgspec.Struct):
    report: BankImport | None = None


def main(arguments: list[str]) -> int:
    """Run a command and return its exit code."""
    args = _parser().parse_args(arguments)
    return carry_out(args.command, lambda: _command(args), "Run the same command again.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.assessment", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("import", "store the items of a file as the draft of a bank"),
        ("export", "write a bank to a file"),
        ("check", "read a file and say what is wrong with it"),
    ):
        one = commands.add_parser(name, help=about)
        add_file(one, _ENDINGS)
        if name != "check":
            one.add_argument("--bank", required=True, help="the id of the bank")
            add_url(one, "ASSESSMENT_URL", _DEFAULT_URL)
        if name != "export":
            one.add_argument("--skill", help="the skill of items for which the file states none")
            one.add_argument("--level", type=float, help="the level of items for which the file states none")
        if name == "import":
            one.add_argument("--framework", help="the framework of a new bank")
            one.add_argument("--title-th", help="the title of a new bank in Thai")
            one.add_argument("--title-en", help="the title of a new bank in English")
            one.add_argument("--dry-run", action="store_true", help="report what would happen, and write nothing")
            one.add_argument(
                "--skip-refused", action="store_true", help="import the valid items although others are refused"
            )
            one.add_argument("--publish", action="store_true", help="publish the draft at once")
        if name == "check":
            one.add_argument("--framework-file", type=Path, help="JSON, to look up skills and levels")
        if name == "export":
            one.add_argument(
                "--version", type=whole_number(1), help="the version to export; by default the draft, else the newest"
            )
    return parser


async def _command(args: argparse.Namespace) -> int:
    form = format_of(args.file, args.format, _ENDINGS)
    if args.command == "check":
        return _check(args, form)
    async with aiohttp.ClientSession(headers=authorization("ASSESSMENT_KEY")) as session:
        if args.command == "import":
            return await _import(args, form, session)
        return await _export(args, form, session)


async def _import(args: argparse.Namespace, form: FormatName, session: aiohttp.ClientSession) -> int:
    texts = ("framework", "title_th", "title_en", "skill", "level")
    query = {name: str(value) for name in texts if (value := getattr(args, name)) is not None}
    query |= {name: "true" for name in ("dry_run", "skip_refused", "publish") if getattr(args, name)}
    url = f"{args.url}/v1/item-banks/{args.bank}:import"
    headers = {"Content-Type": MEDIA_TYPES[form]}
    raw = await asyncio.to_thread(args.file.read_bytes)
    async with session.post(url, params={"format": form, **query}, data=raw, headers=headers) as answer:
        body = await answer.read()
        if answer.status == HTTPStatus.OK:
            report: BankImport | None = msgspec.json.decode(body, type=BankImport)
        else:
            report = (
                msgspec.json.decode(body, type=_Refusal).report
                if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
                else None
            )
        if report is None:
            raise refused(answer.status, body.decode(errors="replace"))
    _say_faults(report.items)
    say_counts({name: getattr(report, name) for name in ("created", "changed", "unchanged", "refused", "removed")})
    say(f"{report.id}: {report.status}" + (f", version {report.version}" if report.version else ""))
    return REFUSED if report.refused else OK


async def _export(args: argparse.Namespace, form: FormatName, session: aiohttp.ClientSession) -> int:
    query = {"format": form} | ({"version": str(args.version)} if args.version else {})
    async with session.get(f"{args.url}/v1/item-banks/{args.bank}:export", params=query) as answer:
        body = await answer.read()
        if answer.status != HTTPStatus.OK:
            raise refused(answer.status, body.decode(errors="replace"))
    with replacing(args.file) as part:
        await asyncio.to_thread(part.write_bytes, body)
    say(f"{args.bank}: {len(body):,} bytes in {args.file}")
    return OK


def _check(args: argparse.Namespace, form: FormatName) -> int:
    framework = decode(args.framework_file.read_bytes(), Framework) if args.framework_file else None
    reading = formats.read(form, args.file.read_bytes(), ItemDefaults(args.skill, args.level))
    results = results_of(reading, framework, {})
    _say_faults(results)
    sound = [
        one.item for one, result in zip(reading.items, results, strict=True) if one.item and result.verdict != "refused"
    ]
    for skill, levels in sorted(coverage(sound).items()):
        say(f"{skill:<32} " + "  ".join(f"level {level:g}: {count}" for level, count in sorted(levels.items())))
    say_counts({"items": len(sound), "refused": len(results) - len(sound)})
    return REFUSED if len(sound) < len(results) or not results else OK


def _say_faults(items: Iterable[ItemResult]) -> None:
    bad = [one for one in items if one.verdict == "refused"]
    for one in bad[:_SHOWN]:
        say(f"item {one.number} ({one.id or '?'}):")
        for fault in one.faults:
            say(f"    {where(fault.field)}{fault.detail}")
    if len(bad) > _SHOWN:
        say(f"and {len(bad) - _SHOWN} more refused items")
