"""Issues API keys for the local stack: for a day, and only if every server is on this machine."""

import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from deploy.local.processes import CannotStart
from deploy.local.seed import sample_officers
from shared.auth import NotLoopback, Role, development_key
from shared.domain import SHARED_TENANT
from shared.errors import Unavailable
from shared.mongo import KeyStore, connect
from shared.settings import StoreSettings, read

_Wanted = tuple[str, Role, str | None, str | None]

TENANT = "example"
"""The tenant of the sample officers."""


@dataclass(frozen=True)
class Keys:
    """The API keys of one stack.

    `admin` and `editor` belong to the tenant `shared`; `admin` loads the starter data. All others belong to the tenant
    `example`: `head` is its admin, `supervisor` has the agency of the first sample officer, and `analyst` reads all
    agencies. `officers`: {id of a sample officer: key}.
    """

    admin: str
    editor: str
    platform: str
    supervisor: str
    analyst: str
    head: str
    officers: Mapping[str, str] = field(default_factory=dict)


def links(portal: str, keys: Keys, officer: str) -> dict[Role, str]:
    """Return {role: address of the portal that signs in with the role's key}.

    `officer`: the sample officer for the role `officer`. The key is in the fragment of the address, which browsers do
    not send to a server; the page removes it at once.
    """
    by_role: dict[Role, str] = {
        "officer": keys.officers[officer],
        "supervisor": keys.supervisor,
        "analyst": keys.analyst,
        "admin": keys.head,
        "editor": keys.editor,
        "platform": keys.platform,
    }
    return {role: f"{portal}/#key={quote(key, safe='')}" for role, key in by_role.items()}


class Issuer:
    """Issues API keys for a stack.

    `environment`: the settings of the stack. `addresses`: its servers, which must all be on this machine.
    """

    def __init__(self, environment: Mapping[str, str], addresses: Iterable[str]) -> None:
        self._settings = read(StoreSettings, environment)
        self._addresses = list(addresses)

    async def issue(self, tenant: str, role: Role, officer: str | None = None, agency: str | None = None) -> str:
        """Return a new API key for a role, which works for a day.

        Raises CannotStart if a server is not on this machine, or the role does not fit `officer` and `agency`.
        """
        return (await self._issue([(tenant, role, officer, agency)]))[0]

    async def sample_keys(self) -> Keys:
        """Return new keys for loading the starter data and for every role, see Keys. Raises CannotStart."""
        samples = sample_officers()
        officers = [officer["officer"] for officer in samples]
        wanted: list[_Wanted] = [
            (SHARED_TENANT, "admin", None, None),
            (SHARED_TENANT, "editor", None, None),
            (TENANT, "platform", None, None),
            (TENANT, "supervisor", None, samples[0]["profile"]["agency"]),
            (TENANT, "analyst", None, None),
            (TENANT, "admin", None, None),
        ]
        wanted += [(TENANT, "officer", officer, None) for officer in officers]
        admin, editor, platform, supervisor, analyst, head, *rest = await self._issue(wanted)
        return Keys(admin, editor, platform, supervisor, analyst, head, dict(zip(officers, rest, strict=True)))

    async def _issue(self, wanted: Iterable[_Wanted]) -> list[str]:
        client = connect(self._settings, "keys")
        store, pepper = KeyStore(client, self._settings), self._settings.api_key_pepper
        try:
            return [
                await development_key(
                    store, pepper, addresses=self._addresses, tenant=tenant, role=role, officer=officer, agency=agency
                )
                for tenant, role, officer, agency in wanted
            ]
        except NotLoopback as error:
            raise CannotStart(
                f"The local stack makes keys for itself only where all is on this machine: {error}"
            ) from (error)
        except Unavailable as error:
            raise CannotStart(f"no keys could be made: {error}") from error
        except ValueError as error:
            raise CannotStart(f"no such key can be made: {error}") from error
        finally:
            client.close()


def pepper_file(directory: Path) -> Path:
    """Return the path of the file with the stack's secret for hashing keys; make the file if it is missing."""
    path = directory / "pepper"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
    return path
