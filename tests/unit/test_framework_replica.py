"""The frameworks that assessment follows: a wrong record does not make later ones look old."""

import msgspec
import pytest

from services.assessment.framework_replica import FrameworkReplica
from shared.cloudevents import from_kafka, to_kafka
from shared.errors import Rejected
from shared.events import MAX_JUMP, MAX_STAMP_JUMP, Event, FrameworkPublished, new_event
from tests.support.builders import FRAMEWORK, framework


def news(version: int, stamp: int, tenant: str = "shared") -> Event:
    data = FrameworkPublished(tenant, framework({"a": 1}, version=version))
    envelope = new_event("/test", f"{tenant}/framework:{FRAMEWORK}", version, data)
    return from_kafka(*to_kafka(msgspec.structs.replace(envelope, catalog_revision=stamp)))


def version_of(index: FrameworkReplica) -> int:
    found = index.find("shared", FRAMEWORK)
    assert found is not None
    return found.version


@pytest.mark.parametrize(
    ("version", "stamp"), [(3, 12 + MAX_STAMP_JUMP), (3 + MAX_JUMP, 12), (3 + MAX_JUMP, 12 + MAX_STAMP_JUMP)]
)
def test_an_impossible_version_is_rejected_and_later_changes_are_applied(version: int, stamp: int) -> None:
    index = FrameworkReplica()
    index.put([news(2, 10)])
    with pytest.raises(Rejected, match="above"):
        index.put([news(3, 11), news(version, stamp)])
    assert (version_of(index), index.position) == (2, 10), "nothing of a refused batch is taken"
    index.put([news(3, 11)])
    assert (version_of(index), index.position) == (3, 11)


def test_the_first_stamp_may_be_any() -> None:
    index = FrameworkReplica()
    index.put([news(7, MAX_STAMP_JUMP * 3)])
    assert version_of(index) == 7
