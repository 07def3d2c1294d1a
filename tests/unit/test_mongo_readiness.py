"""What a service says about a MongoDB that it cannot use."""

import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from shared.errors import Unavailable
from shared.mongo import Client, connect, reachable, unavailable
from shared.settings import StoreSettings, read


async def test_a_database_that_does_not_answer_in_time_is_said_so_in_words() -> None:
    client: Client = AsyncIOMotorClient("mongodb://127.0.0.1:1", serverSelectionTimeoutMS=50)
    try:
        assert await reachable(client) == "no answer in time"
    finally:
        client.close()


async def test_a_name_that_the_dns_does_not_know_is_said_so_in_words() -> None:
    given = {"MONGODB_URI": "mongodb+srv://planted:planted@no-such.invalid/", "API_KEY_PEPPER": "pepper of this test 7"}
    client = connect(read(StoreSettings, given))
    try:
        with pytest.raises(Unavailable, match="see that the DNS knows the name") as caught, unavailable():
            await client.admin.command("ping")
        assert "planted" not in str(caught.value)
        assert await reachable(client) == "the DNS does not know the name, or the server is not supported"
    finally:
        client.close()
