"""Sends results or officers in bulk from the command line: `import-results FILE` and `import-officers FILE`.

NDJSON or CSV, told by the file's name. The service is `--url` or ASSESSMENT_URL, the key of a platform stands in
ASSESSMENT_KEY. The exit code is 0 where every row was taken, 1 where some were refused, 2 where it could not be done,
130 where it was interrupted; then the same command does the rest.
"""

import argparse
import asyncio
import os
from pathlib import Path

from services.assessment.imports import TYPES, Format
from shared.console import FAILED, INTERRUPTED, OK, REFUSED, key_of_environment, say, where
from shared.errors import InvalidInput, Problem
from shared.imports.rows import ImportReport
from shared.imports.sending import send_rows

NAMES = {"import-results": "assessments", "import-officers": "officers"}
_TYPES = {form: media for media, form in reversed(TYPES.items())}
_ENDINGS: dict[str, Format] = {".csv": "csv", ".tsv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
_DEFAULT_URL = "http://127.0.0.1:8101"


def main(arguments: list[str]) -> int:
    """Run a command and return its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        return asyncio.run(_import(asked))
    except Problem as problem:
        say(f"{asked.command}: {where(problem.field)}{problem.detail}")
    except OSError as error:
        say(f"{asked.command}: {error}")
    except KeyboardInterrupt:
        say("Interrupted. What was stored stays; the same command does the rest.")
        return INTERRUPTED
    return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.assessment", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, path in NAMES.items():
        one = commands.add_parser(name, help=f"send the {path} of a file")
        one.add_argument("file", type=Path)
        one.add_argument("--format", choices=sorted(set(_ENDINGS.values())), help="without: told by the file's name")
        one.add_argument("--encoding", help="without: told by the bytes")
        one.add_argument("--dry-run", action="store_true", help="say what would happen, and write nothing")
        one.add_argument("--url", default=os.environ.get("ASSESSMENT_URL") or _DEFAULT_URL, help="of the service")
    return parser


async def _import(asked: argparse.Namespace) -> int:
    form: Format | None = asked.format or _ENDINGS.get(asked.file.suffix.lower())
    if form is None:
        raise InvalidInput(f"say in which format {asked.file.name} is: --format csv or --format ndjson")
    headers = {"Content-Type": _TYPES[form], "Authorization": f"Bearer {key_of_environment('ASSESSMENT_KEY')}"}
    query = {"dry_run": "true"} if asked.dry_run else {}
    if asked.encoding:
        query["encoding"] = asked.encoding
    url = f"{asked.url}/v1/{NAMES[asked.command]}:import"
    sent = await send_rows(asked.file, url, query, headers, ImportReport)
    if sent is None:
        return FAILED
    report, tally = sent
    tally.say()
    for name in ("created", "changed", "unchanged", "refused"):
        say(f"{name:<10} {tally.counts[name]:>9,}")
    if report is None:
        say("The answer broke off before its report. The same command does the rest.")
        return FAILED
    if report.problem:
        say(f"{report.state}: {where(report.problem.field)}{report.problem.detail}")
    if not report.dry_run:
        say(f"report: GET /v1/assessments/imports/{report.import_id}")
    if report.state != "finished":
        return FAILED
    return REFUSED if tally.counts["refused"] else OK
