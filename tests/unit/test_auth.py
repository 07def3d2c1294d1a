"""API keys: shown once, stored as a digest, remembered for a while; policies deny what they do not allow."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.auth import (
    ADMINS,
    EVERYONE,
    PLATFORMS,
    PUBLIC,
    Authenticator,
    NotLoopback,
    Principal,
    Role,
    StoredKey,
    authorize,
    development_key,
    issue,
)
from shared.errors import Forbidden, NotFound, Unauthorized, Unavailable

PEPPER = b"pepper of the unit tests"


class Keys:
    def __init__(self) -> None:
        self.held: dict[str, StoredKey] = {}
        self.lookups = 0
        self.used: list[str] = []
        self.away = False

    async def find(self, key_id: str) -> StoredKey | None:
        self.lookups += 1
        if self.away:
            raise Unavailable("away")
        return self.held.get(key_id)

    async def note_use(self, key_id: str) -> None:
        self.used.append(key_id)

    async def create(self, key: StoredKey) -> None:
        self.held[key.key_id] = key


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def keys() -> Keys:
    return Keys()


async def held(keys: Keys, role: Role = "platform", officer: str | None = None, seconds: float | None = None) -> str:
    expires_at = None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)
    credential, stored = issue(PEPPER, "agency", role, officer, expires_at)
    await keys.create(stored)
    return credential


async def test_a_key_identifies_its_principal(keys: Keys) -> None:
    credential = await held(keys, "officer", "me")
    found = await Authenticator(keys, PEPPER).authenticate(credential)
    assert (found.tenant, found.role, found.officer) == ("agency", "officer", "me")


async def test_the_secret_is_not_stored(keys: Keys) -> None:
    credential = await held(keys)
    [stored] = keys.held.values()
    assert credential.partition(".")[2] not in repr(stored)


@pytest.mark.parametrize("pepper", [PEPPER, b"another pepper here"])
async def test_an_invalid_key_is_rejected(keys: Keys, pepper: bytes) -> None:
    credential = await held(keys)
    authenticator = Authenticator(keys, pepper)
    key_id, _, secret = credential.partition(".")
    wrong = [None, "", ".", key_id, f"{key_id}.", f".{secret}", f"{key_id}.{secret}x", f"other.{secret}", "ก.ข"]
    if pepper != PEPPER:
        wrong.append(credential)
    for one in wrong:
        with pytest.raises(Unauthorized):
            await authenticator.authenticate(one)


async def test_lookups_of_keys_are_cached_for_a_while(keys: Keys) -> None:
    clock = Clock()
    authenticator = Authenticator(keys, PEPPER, clock=clock)
    credential = await held(keys)
    for _ in range(3):
        await authenticator.authenticate(credential)
    assert keys.lookups == 1
    keys.held.clear()
    clock.now += 29
    await authenticator.authenticate(credential)
    clock.now += 2
    for _ in range(3):
        with pytest.raises(Unauthorized):
            await authenticator.authenticate(credential)
    assert keys.lookups == 2
    clock.now += 6
    with pytest.raises(Unauthorized):
        await authenticator.authenticate(credential)
    assert keys.lookups == 3


async def test_the_cache_of_keys_is_bounded_and_holds_no_failures(keys: Keys) -> None:
    authenticator = Authenticator(keys, PEPPER, capacity=10)
    credential = await held(keys)
    keys.away = True
    with pytest.raises(Unavailable):
        await authenticator.authenticate(credential)
    keys.away = False
    await authenticator.authenticate(credential)
    for n in range(50):
        with pytest.raises(Unauthorized):
            await authenticator.authenticate(f"{n:016x}.secret")
    assert len(authenticator._wrong) == 10
    for _ in range(50):
        await authenticator.authenticate(await held(keys))
    assert len(authenticator._valid) == 10


async def test_wrong_keys_remove_no_valid_key_from_the_cache(keys: Keys) -> None:
    authenticator = Authenticator(keys, PEPPER, capacity=10)
    credential = await held(keys)
    await authenticator.authenticate(credential)
    for n in range(50):
        with pytest.raises(Unauthorized):
            await authenticator.authenticate(f"{n:016x}.secret")
    keys.away = True
    assert await authenticator.authenticate(credential) == authenticator.cached(credential)


async def test_a_key_that_was_unknown_is_valid_once_it_is_stored(keys: Keys) -> None:
    clock = Clock()
    authenticator = Authenticator(keys, PEPPER, clock=clock)
    credential = await held(keys)
    stored = dict(keys.held)
    for known in (False, True, False):
        keys.held = stored if known else {}
        clock.now += 31
        if known:
            await authenticator.authenticate(credential)
        else:
            with pytest.raises(Unauthorized):
                await authenticator.authenticate(credential)
    assert (len(authenticator._valid), len(authenticator._wrong)) == (0, 1)


async def test_an_expired_key_is_rejected_although_it_is_cached(keys: Keys) -> None:
    with pytest.raises(Unauthorized):
        await Authenticator(keys, PEPPER).authenticate(await held(keys, seconds=-1))
    clock = Clock()
    authenticator = Authenticator(keys, PEPPER, clock=clock)
    credential = await held(keys, seconds=10)
    await authenticator.authenticate(credential)
    clock.now += 11
    keys.held.clear()
    with pytest.raises(Unauthorized):
        await authenticator.authenticate(credential)


async def test_an_officers_key_is_cached_only_briefly(keys: Keys) -> None:
    clock = Clock()
    authenticator = Authenticator(keys, PEPPER, clock=clock)
    credential = await held(keys, "officer", "me")
    await authenticator.authenticate(credential)
    keys.held.clear()
    clock.now += 1.9
    await authenticator.authenticate(credential)
    clock.now += 0.2
    with pytest.raises(Unauthorized):
        await authenticator.authenticate(credential)


async def test_a_slow_lookup_does_not_extend_the_cache_time(keys: Keys) -> None:
    clock = Clock()
    authenticator = Authenticator(keys, PEPPER, clock=clock)
    credential = await held(keys, "officer", "me")
    find = keys.find

    async def slow(key_id: str) -> StoredKey | None:
        found = await find(key_id)
        keys.held.clear()  # revoked while the answer is on its way
        clock.now += 5
        return found

    keys.find = slow  # type: ignore[method-assign]
    await authenticator.authenticate(credential)
    keys.find = find  # type: ignore[method-assign]
    with pytest.raises(Unauthorized):
        await authenticator.authenticate(credential)


async def test_keys_can_be_removed_from_the_cache_at_once(keys: Keys) -> None:
    authenticator = Authenticator(keys, PEPPER)
    one, two = await held(keys), await held(keys)
    await authenticator.authenticate(one)
    await authenticator.authenticate(two)
    authenticator.forget({one.partition(".")[0], "other"})
    keys.held.clear()
    with pytest.raises(Unauthorized):
        await authenticator.authenticate(one)
    await authenticator.authenticate(two)


async def test_the_use_of_a_key_is_recorded_at_intervals_and_never_for_a_guess(keys: Keys) -> None:
    clock = Clock()
    authenticator = Authenticator(keys, PEPPER, clock=clock)
    credential = await held(keys)
    key_id = credential.partition(".")[0]
    with pytest.raises(Unauthorized):
        await authenticator.authenticate(f"{key_id}.guess")
    assert keys.used == []
    for age, noted in ((None, 1), (10, 1), (299, 1), (301, 2)):
        used_at = None if age is None else datetime.now(UTC) - timedelta(seconds=age)
        keys.held[key_id] = replace(keys.held[key_id], used_at=used_at)
        clock.now += 31
        await authenticator.authenticate(credential)
        assert keys.used == [key_id] * noted


def test_keys_with_invalid_fields_are_not_issued() -> None:
    for tenant, role, officer in (
        ("a", "officer", None),
        ("a", "admin", "x"),
        ("a b", "admin", None),
        ("a", "king", None),
        ("", "admin", None),
        ("a", "officer", ""),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - each has another message
            issue(PEPPER, tenant, role, officer)  # type: ignore[arg-type]


def test_policies_deny_what_they_do_not_allow() -> None:
    admin, platform = Principal("k", "agency", "admin"), Principal("k", "agency", "platform")
    officer = Principal("k", "agency", "officer", "me")
    authorize(admin, ADMINS)
    authorize(platform, PLATFORMS, "anybody")
    authorize(officer, EVERYONE, "me")
    authorize(officer, EVERYONE)
    for who, policy in ((platform, ADMINS), (officer, PLATFORMS), (admin, PUBLIC)):
        with pytest.raises(Forbidden):
            authorize(who, policy)
    with pytest.raises(NotFound):
        authorize(officer, EVERYONE, "you")


@pytest.mark.parametrize(
    ("role", "agency", "seen"),
    [
        ("supervisor", "north", {"north"}),
        ("supervisor", None, set()),  # no such key is issued
        ("analyst", "north", {"north"}),
        ("analyst", None, {"north", "south"}),
        ("admin", None, {"north", "south"}),
        ("platform", None, {"north", "south"}),
    ],
)
def test_which_agencies_a_key_is_for(role: Role, agency: str | None, seen: set[str]) -> None:
    principal = Principal("k", "agency", role, agency=agency)
    assert {one for one in ("north", "south") if principal.sees_agency(one)} == seen


def test_a_key_of_an_analyst_may_name_an_agency_and_that_of_a_supervisor_must() -> None:
    for role, agency in (("analyst", "north"), ("analyst", None), ("supervisor", "north")):
        assert issue(PEPPER, "a", role, agency=agency)[1].agency == agency  # type: ignore[arg-type]
    for role, agency in (("supervisor", None), ("admin", "north"), ("analyst", "a b"), ("editor", "north")):
        with pytest.raises(ValueError):  # noqa: PT011 - each has another message
            issue(PEPPER, "a", role, agency=agency)  # type: ignore[arg-type]


async def test_development_keys_are_for_this_machine_only(keys: Keys) -> None:
    here = ["127.0.0.1", "mongodb://u:p@127.0.0.1:27017/?replicaSet=rs0", "localhost:9092,[::1]:9093"]
    credential = await development_key(keys, PEPPER, addresses=here, tenant="demo", role="admin")
    assert (await Authenticator(keys, PEPPER).authenticate(credential)).tenant == "demo"
    for elsewhere in (
        "0.0.0.0",  # noqa: S104 - it is refused
        "mongodb://127.0.0.1,db.example:27017/x",
        "127.0.0.1:9092,10.0.0.1:9092",
        "",
        "mongodb+srv://x.y",
    ):
        with pytest.raises(NotLoopback):
            await development_key(keys, PEPPER, addresses=[*here, elsewhere], tenant="demo", role="admin")
    assert len(keys.held) == 1
