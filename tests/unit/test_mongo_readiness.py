"""What a service says about a MongoDB that it cannot use."""

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import BulkWriteError, OperationFailure

from shared.errors import Unavailable
from shared.mongo import Client, connect, reachable, unavailable
from shared.settings import StoreSettings, read

FULL = "No space left on device"


async def test_a_database_that_refuses_connections_is_named() -> None:
    client: Client = AsyncIOMotorClient("mongodb://127.0.0.1:1", serverSelectionTimeoutMS=50)
    try:
        assert await reachable(client) == "127.0.0.1:1: [Errno 111] Connection refused"
    finally:
        client.close()


@pytest.mark.parametrize(
    "error",
    [
        OperationFailure(f"28: {FULL}", 8),
        OperationFailure("not enough disk space", 14031),
        BulkWriteError({"writeErrors": [{"code": 8, "errmsg": f"28: {FULL}"}], "writeConcernErrors": []}),
    ],
)
def test_a_server_whose_disk_is_full_is_unavailable(error: OperationFailure) -> None:
    with pytest.raises(Unavailable), unavailable():
        raise error


def test_another_unknown_error_is_not_tried_again() -> None:
    with pytest.raises(OperationFailure), unavailable():
        raise OperationFailure("a fault of the server", 8)


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
