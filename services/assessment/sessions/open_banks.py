"""The bank versions that sessions use, in memory, each with a recent count of how often its items were shown."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from services.assessment.item_bank.store import ItemBankStore, StoredBank
from services.assessment.sessions.item_pool import Exposure, ItemPool
from services.assessment.sessions.model import SessionPlan
from services.assessment.sessions.store import SessionStore
from shared.errors import NotFound

_MOST = 8
_EXPOSURE_SECONDS = 120.0


@dataclass
class OpenBank:
    """A bank version in memory. `counted_at`: when `exposure` was last counted, in seconds of the loop's clock."""

    pool: ItemPool
    exposure: Exposure
    counted_at: float


class OpenBanks:
    """The bank versions that were used last, up to 8; others are read from the database when a session needs them."""

    def __init__(self, banks: ItemBankStore, sessions: SessionStore) -> None:
        self._banks = banks
        self._sessions = sessions
        self._held: OrderedDict[tuple[str, tuple[float, ...]], OpenBank] = OrderedDict()
        self._reading = asyncio.Lock()

    async def of(self, plan: SessionPlan, stored: StoredBank | None = None) -> OpenBank:
        """Return the bank version of a session. Raises NotFound, Unavailable.

        `stored`: the bank version, given for a new session only; then the exposure is counted again if it was counted
        more than two minutes ago.
        """
        key = (plan.bank_key, tuple(plan.scale))
        bank = self._held.get(key)
        if bank is None or (stored and asyncio.get_running_loop().time() - bank.counted_at > _EXPOSURE_SECONDS):
            async with self._reading:
                bank = self._held.get(key)
                now = asyncio.get_running_loop().time()
                if bank is None:
                    pool = await self._pool(plan, stored)
                    bank = self._held[key] = OpenBank(pool, Exposure(pool), -_EXPOSURE_SECONDS)
                if stored and now - bank.counted_at > _EXPOSURE_SECONDS:
                    bank.exposure = Exposure(bank.pool, *await self._sessions.exposure(plan.bank_key))
                    bank.counted_at = now
        self._held.move_to_end(key)
        while len(self._held) > _MOST:
            self._held.popitem(last=False)
        return bank

    async def _pool(self, plan: SessionPlan, stored: StoredBank | None) -> ItemPool:
        stored = stored or await self._banks.version(plan.bank_owner, plan.bank, plan.bank_version)
        if stored is None:
            raise NotFound("the item bank of this session is gone")
        whole = await self._banks.whole(stored)
        return await asyncio.to_thread(ItemPool, whole, plan.scale)
