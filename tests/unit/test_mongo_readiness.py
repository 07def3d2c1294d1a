"""What the readiness of a service says about MongoDB."""

from motor.motor_asyncio import AsyncIOMotorClient

from shared.mongo import Client, reachable


async def test_a_database_that_does_not_answer_in_time_is_said_so_in_words() -> None:
    client: Client = AsyncIOMotorClient("mongodb://127.0.0.1:1", serverSelectionTimeoutMS=50)
    try:
        assert await reachable(client) == "no answer in time"
    finally:
        client.close()
