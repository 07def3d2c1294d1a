"""The operator's commands for bulk imports: `import-results FILE` and `import-officers FILE`.

The file name's ending selects NDJSON or CSV. The service is at `--url` or ASSESSMENT_URL; ASSESSMENT_KEY holds the key
of a platform. The exit code is 0 if every row was accepted, 1 if some were rejected, 2 if the command failed, 130 if it
was interrupted; then the same command, run again, imports the rest.
"""

import argparse

from services.assessment.imports import TYPES, Format
from shared.console import FAILED, add_url, authorization, carry_out, format_of, say, say_counts
from shared.imports.rows import ImportReport
from shared.imports.sending import add_import, conclude, send_rows

NAMES = {"import-results": "assessments", "import-officers": "officers"}
_TYPES = {form: media for media, form in reversed(TYPES.items())}
_ENDINGS: dict[str, Format] = {".csv": "csv", ".tsv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
_DEFAULT_URL = "http://127.0.0.1:8101"


def main(arguments: list[str]) -> int:
    """Run a command and return its exit code."""
    args = _parser().parse_args(arguments)
    return carry_out(
        args.command, lambda: _import(args), "Stored rows stay; run the same command again to import the rest."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.assessment", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, path in NAMES.items():
        one = commands.add_parser(name, help=f"send the {path} of a file")
        add_import(one, _ENDINGS)
        one.add_argument("--dry-run", action="store_true", help="report what would happen, and write nothing")
        if name == "import-results":
            one.add_argument("--map", help="the file is a grade export: `guess`, or which column holds what")
            one.add_argument("--default", help="what no column of a grade export holds: activity=NAME,date_order=dmy")
        add_url(one, "ASSESSMENT_URL", _DEFAULT_URL)
    return parser


async def _import(args: argparse.Namespace) -> int:
    form = format_of(args.file, args.format, _ENDINGS)
    headers = {"Content-Type": _TYPES[form], **authorization("ASSESSMENT_KEY")}
    query = {"dry_run": "true"} if args.dry_run else {}
    query |= {name: given for name in ("encoding", "map", "default") if (given := getattr(args, name, None))}
    url = f"{args.url}/v1/{NAMES[args.command]}:import"
    sent = await send_rows(args.file, url, query, headers, ImportReport)
    if sent is None:
        return FAILED
    report, tally = sent
    tally.say()
    if report and query.keys() & {"map", "default"}:
        for fact, columns in report.mapping.items():
            say(f"{fact:<10} from {', '.join(columns)}")
        if report.unused_columns:
            say(f"columns not taken: {', '.join(report.unused_columns)}")
    say_counts({name: tally.counts[name] for name in ("created", "changed", "unchanged", "refused")})
    return conclude(report, tally.counts["refused"], "/v1/assessments/imports")
