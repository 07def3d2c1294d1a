"""The operator's command for API keys.

python -m shared.keys create --tenant TENANT --role ROLE [--officer ID | --agency ID] [--days N] [--label TEXT]
    prints the key, once (`issue` is an alias)
python -m shared.keys revoke KEY_ID
python -m shared.keys list [--tenant TENANT]
    id, tenant, role, officer or agency, created, expires, last used (to five minutes), label
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from shared.auth import GIVEN_ROLES, StoredKey, issue
from shared.console import say, whole_number
from shared.errors import NotFound, Problem
from shared.mongo import KeyStore, connected
from shared.settings import StoreSettings, load

_HEADS = ("KEY", "TENANT", "ROLE", "OFFICER", "MADE", "EXPIRES", "LAST USED", "LABEL")
_MOST_DAYS = 36_500


async def _command(wanted: argparse.Namespace, settings: StoreSettings) -> str:
    with connected(settings, "keys") as client:
        store = KeyStore(client, settings)
        await store.prepare()
        if wanted.command in ("create", "issue"):
            expires_at = datetime.now(UTC) + timedelta(days=wanted.days) if wanted.days else None
            credential, stored = issue(
                settings.api_key_pepper,
                wanted.tenant,
                wanted.role,
                wanted.officer,
                expires_at,
                label=wanted.label,
                agency=wanted.agency,
            )
            await store.create(stored)
            return credential
        if wanted.command == "revoke":
            key_id = wanted.key_id.partition(".")[0]  # the whole key does as well
            if not await store.revoke(key_id):
                raise NotFound("there is no such key that works: `list` shows their ids")
            return f"revoked {key_id}; it stops working within 30 seconds"
        return _table([key async for key in store.list(wanted.tenant)])


def _table(keys: Iterable[StoredKey]) -> str:
    """Return the keys as a table with a heading."""
    rows = [_HEADS, *(_row(key) for key in keys)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    return "\n".join("  ".join(f"{text:{width}}" for text, width in zip(r, widths, strict=True)).rstrip() for r in rows)


def _row(key: StoredKey) -> tuple[str, ...]:
    expired = key.expires_at is not None and key.expires_at <= datetime.now(UTC)
    until = f"{_moment(key.expires_at, 'never')}{' (over)' if expired else ''}"
    made, used = _moment(key.created_at, "-"), _moment(key.used_at, "never")
    person = key.officer or (f"agency:{key.agency}" if key.agency else "-")
    return key.key_id, key.tenant, key.role, person, made, until, used, key.label


def _moment(moment: datetime | None, otherwise: str) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ") if moment else otherwise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m shared.keys", description="API keys")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", aliases=["issue"], help="print a new key, once")
    create.add_argument("--tenant", required=True)
    create.add_argument("--role", required=True, choices=GIVEN_ROLES)
    create.add_argument("--officer", help="the only officer that a key of role officer is for")
    create.add_argument("--agency", help="the agency that a key of role supervisor is for, or of role analyst")
    create.add_argument(
        "--days", type=whole_number(1, _MOST_DAYS), help="how many days it works; without: until it is revoked"
    )
    create.add_argument("--label", default="", help="whose it is or what for, as `list` shows it")
    commands.add_parser("revoke", help="make a key stop working").add_argument("key_id")
    commands.add_parser("list", help="list the keys that were not revoked").add_argument("--tenant")
    return parser


def main() -> None:
    """Create, revoke or list API keys; print an error as one sentence."""
    wanted = _parser().parse_args()
    settings = load(StoreSettings)
    try:
        say(asyncio.run(_command(wanted, settings)))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except (Problem, ValueError) as error:
        _fail(str(error))
    except Exception as error:  # noqa: BLE001 - the message of a library may hold a secret
        _fail(f"the command failed ({type(error).__name__}); `list` shows what is stored")


def _fail(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201 - the output of a command
    raise SystemExit(1) from None


if __name__ == "__main__":
    main()
