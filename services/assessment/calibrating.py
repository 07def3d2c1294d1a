"""`python -m services.assessment calibrate --bank ID`: fits item parameters to stored answers and publishes a version.

The answers are those of all sessions of the bank's newest version, and of earlier versions for items whose text,
options and key have not changed. Only items with enough answers are changed. The command prints a table and, with
`--report FOLDER`, writes the table as Markdown with a chart for each skill. `--dry-run` publishes nothing. The command
reads the database of the settings, needs the extra `calibration` (girth), and may take minutes; the service can run at
the same time.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from services.assessment.calibration import (
    LEAST_ANSWERS,
    ItemFit,
    SkillFit,
    calibrated,
    root_mean_square,
    with_parameters,
)
from services.assessment.item_bank.model import Item, ItemBank, parameters_of
from services.assessment.item_bank.store import ItemBankStore, NewDraft, StoredBank
from services.assessment.sessions.store import SessionStore
from shared.charts import Axis, chart
from shared.console import FAILED, OK, say, where, whole_number
from shared.domain import SHARED_TENANT, key_of
from shared.errors import Conflict, NotFound, Problem
from shared.mongo import Database, connected
from shared.settings import AssessmentSettings, load

_DRAWN = 8


async def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    args = _parser().parse_args(arguments)
    settings = load(AssessmentSettings)
    try:
        with connected(settings, "assessment") as client:
            return await calibrate(client[settings.database("assessment")], args)
    except Problem as problem:
        say(f"calibrate: {where(problem.field)}{problem.detail}")
    except ImportError as error:
        say(f"calibrate: {error}; install the extra: pip install -r deploy/requirements/calibration.txt")
    except OSError as error:
        say(f"calibrate: {error}")
    return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.assessment calibrate", description=__doc__)
    parser.add_argument("--bank", required=True, help="the id of the bank")
    parser.add_argument("--tenant", default=SHARED_TENANT, help="whose bank it is")
    parser.add_argument("--least", type=whole_number(1), default=LEAST_ANSWERS, help="answers that an item needs")
    parser.add_argument("--report", type=Path, help="a folder for the table and the pictures")
    parser.add_argument("--dry-run", action="store_true", help="publish nothing")
    return parser


async def calibrate(database: Database, args: argparse.Namespace) -> int:
    """Fit the items of a bank, print and write the report, publish the next version; return the exit code.

    `args`: those of the command line. Raises Problem, ImportError without girth, OSError.
    """
    banks, sessions = ItemBankStore(database), SessionStore(database)
    newest = await banks.version(args.tenant, args.bank)
    if newest is None:
        raise NotFound(f"no published bank {args.bank!r} of {args.tenant}", "bank")
    if not args.dry_run and await banks.draft(args.tenant, args.bank):
        raise Conflict("the bank has a draft: publish it or drop it first", "bank")
    bank = await banks.whole(newest)
    answered = await answers_of(banks, sessions, args.tenant, bank)
    found = calibrated(bank.items, answered, _scale_of(bank), args.least)
    lines = table(found)
    for line in lines:
        say(line)
    if args.report:
        write_report(args.report, bank, found, lines)
        say(f"report: {args.report / 'calibration.md'}")
    fitted = sum(one.parameters is not None for of in found for one in of.items)
    if args.dry_run or not fitted:
        say("nothing was published" + ("" if fitted else ": no item has enough answers"))
        return OK
    published = await _publish(banks, newest, with_parameters(bank.items, found))
    say(f"{bank.id}: version {published.version} is published, {fitted} of {len(bank.items)} items fitted")
    return OK


async def answers_of(
    banks: ItemBankStore, sessions: SessionStore, tenant: str, bank: ItemBank
) -> list[Mapping[str, int]]:
    """Return {item id: score} of each session of any version of the bank, for items that `bank` holds unchanged.

    Sessions without such answers are left out. Raises Unavailable.
    """
    present = {item.id: _asked(item) for item in bank.items}
    found: list[Mapping[str, int]] = []
    for number in range(1, bank.version + 1):
        version = await banks.version(tenant, bank.id, number)
        if version is None:
            continue
        same = {item.id for item in await banks.items(version) if present.get(item.id) == _asked(item)}
        async for answers in sessions.answered(f"{key_of(tenant, bank.id)}@{number}"):
            scores = {one.item: one.score for one in answers if one.item in same and one.score is not None}
            if scores:
                found.append(scores)
    return found


def _asked(item: Item) -> Item:
    """Return an item without the fields that officers do not see."""
    return msgspec.structs.replace(item, level=0.0, parameters=None, label=None, source=None)


def _scale_of(bank: ItemBank) -> list[float]:
    """Return the levels that the bank's items are written for; a grid over them includes all thresholds."""
    return sorted({0.0, 1.0, *(item.level for item in bank.items)})


async def _publish(banks: ItemBankStore, newest: StoredBank, items: Sequence[Item]) -> StoredBank:
    wanted = NewDraft(newest.tenant, newest.bank, newest.facts, newest.version, newest.framework_version)
    draft = await banks.save_draft(None, wanted, items)
    published = await banks.publish(draft, newest.framework_version) if draft else None
    if published is None:
        raise Conflict("the bank was changed meanwhile; calibrate it again", "bank")
    return published


# --- the report ------------------------------------------------------------------------------------------------------


def table(found: Sequence[SkillFit]) -> list[str]:
    """Return the lines of a table with a row for each item, misfitting ones marked, and a summary at the end."""
    head = ("item", "answers", "discrimination", "difficulty or thresholds", "misfit", "correlation", "")
    rows = [head, *(_row(one) for of in found for one in of.items)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    every = [one for of in found for one in of.items]
    bad = [one.item.id for one in every if not one.fits]
    gap = root_mean_square(found)
    lines += ["", f"fitted {sum(one.parameters is not None for one in every)} of {len(every)} items"]
    lines += [f"misfitting: {', '.join(bad) or 'none'}"]
    if gap is not None:
        lines += [f"observed and expected shares of groups of officers differ by {gap:.3f} (root mean square)"]
    return lines


def _row(one: ItemFit) -> tuple[str, ...]:
    before = parameters_of(one.item)
    now = one.parameters or before
    places = " ".join(f"{level:.2f}" for level in now.boundaries)
    present = [f"{before.discrimination:.2f}", " ".join(f"{level:.2f}" for level in before.boundaries)]
    moved = one.parameters is not None
    return (
        one.item.id,
        str(one.answers),
        f"{present[0]} -> {now.discrimination:.2f}" if moved else present[0],
        f"{present[1]} -> {places}" if moved else present[1],
        "-" if one.misfit is None else f"{one.misfit:.2f}",
        "-" if one.correlation is None else f"{one.correlation:.2f}",
        one.reason if one.fits else "MISFIT",
    )


def write_report(folder: Path, bank: ItemBank, found: Sequence[SkillFit], lines: Sequence[str]) -> None:
    """Write `calibration.md` with the table `lines`, and an SVG chart of each skill with enough answers.

    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = [f"# Calibration of {bank.id}, version {bank.version}", "", "```text", *lines, "```"]
    for of in found:
        drawn = sorted((one for one in of.items if one.curve), key=lambda one: one.fits)[:_DRAWN]
        if drawn:
            (folder / f"{of.skill}.svg").write_text(picture(of.skill, drawn), encoding="utf-8")
            parts += ["", f"## {of.skill}", "", f"![expected and observed scores]({of.skill}.svg)"]
    (folder / "calibration.md").write_text("\n".join([*parts, ""]), encoding="utf-8")


def picture(skill: str, items: Sequence[ItemFit]) -> str:
    """Return an SVG chart of the expected and the observed score on each item, over the levels of groups of officers.

    A score is a share of the item's highest score.
    """
    levels = [level for one in items for level, _, _ in one.curve]
    low, high = min(levels), max(levels)
    across = Axis(
        "level of the group", [(low + (high - low) * n / 4, f"{low + (high - low) * n / 4:.1f}") for n in range(5)]
    )
    up = Axis("share of the highest score", [(n / 4, f"{n * 25} %") for n in range(5)])
    series: dict[str, list[tuple[float, float]]] = {}
    for one in items:
        mark = "" if one.fits else " (misfit)"
        series[f"{one.item.id}{mark}: observed"] = [(level, observed) for level, _, observed in one.curve]
        series[f"{one.item.id}: expected"] = [(level, share) for level, share, _ in one.curve]
    return chart(f"{skill}: observed and expected", across, up, series)
