"""The operator's command for API keys.

python -m shared.keys create --tenant TENANT --role ROLE [--officer ID] [--days N]    prints the key, once
python -m shared.keys revoke KEY_ID
python -m shared.keys list [--tenant TENANT]
"""

import argparse
import asyncio
import sys
from datetime import UTC, datetime, timedelta
from typing import get_args

from shared.auth import Role, issue
from shared.errors import NotFound, Problem
from shared.mongo import KeyStore, connect
from shared.settings import StoreSettings, load


async def _command(wanted: argparse.Namespace, settings: StoreSettings) -> str:
    client = connect(settings, "keys")
    try:
        store = KeyStore(client, settings)
        if wanted.command == "create":
            expires_at = datetime.now(UTC) + timedelta(days=wanted.days) if wanted.days else None
            credential, stored = issue(settings.api_key_pepper, wanted.tenant, wanted.role, wanted.officer, expires_at)
            await store.create(stored)
            return credential
        if wanted.command == "revoke":
            if not await store.revoke(wanted.key_id):
                raise NotFound(f"no working key {wanted.key_id}")
            return f"revoked {wanted.key_id}"
        rows = [f"{k.key_id} {k.tenant} {k.role} {k.officer or '-'}" async for k in store.list(wanted.tenant)]
        return "\n".join(rows)
    finally:
        client.close()


def main() -> None:
    """Create, revoke or list API keys, as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m shared.keys", description="API keys")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="print a new key, once")
    create.add_argument("--tenant", required=True)
    create.add_argument("--role", required=True, choices=get_args(Role))
    create.add_argument("--officer", help="the only officer that a key of role officer is for")
    create.add_argument("--days", type=int, help="how long it works; without: until it is revoked")
    commands.add_parser("revoke", help="make a key stop working").add_argument("key_id")
    commands.add_parser("list", help="list the keys that work").add_argument("--tenant")
    wanted = parser.parse_args()
    try:
        print(asyncio.run(_command(wanted, load(StoreSettings))))  # noqa: T201 - what the command is for
    except (Problem, ValueError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
