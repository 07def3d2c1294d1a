"""The limits of a service: active requests, rates, addresses."""

import pytest

from shared.errors import Overloaded, TooManyRequests
from shared.limits import Admission, Buckets, Limits, client_address, counted_as, networks, spend


def test_active_requests_are_bounded_in_total_and_per_key() -> None:
    admission = Admission(Limits(concurrent_requests=3))
    slots = [admission.enter() for _ in range(3)]
    with pytest.raises(Overloaded) as refused:
        admission.enter()
    assert refused.value.retry_after
    slots[0].claim("a", 1)
    with pytest.raises(Overloaded):
        slots[1].claim("a", 1)
    slots[1].claim("b", 1)
    for slot in slots:
        slot.leave()
        slot.leave()
    assert admission.active == 0
    admission.enter().claim("a", 1)
    assert admission.active == 1


def test_a_rejection_is_predicted_for_a_full_service_and_for_a_key_whose_share_is_used() -> None:
    admission = Admission(Limits(concurrent_requests=3))
    assert not admission.busy
    first = admission.enter()
    first.claim("a", 1)
    assert admission.busy
    refused = admission.rejection("a")
    assert refused is not None
    with pytest.raises(Overloaded, match=refused.detail):
        admission.enter().claim("a", 1)
    assert admission.rejection("b") is None
    assert admission.rejection(None) is None
    admission.enter().claim("a", 1, detached=True)
    first.leave()
    assert admission.rejection("a") is None
    while admission.active < 3:
        admission.enter()
    assert admission.busy
    for key in ("a", None):
        assert admission.rejection(key) is not None


def test_streams_are_counted_separately_and_do_not_block_requests() -> None:
    admission = Admission(Limits(concurrent_requests=1))
    streams = [admission.enter() for _ in range(1)]
    streams[0].claim("a", 1, detached=True)
    assert (admission.active, admission.detached) == (0, 1)
    for _ in range(3):
        admission.enter().claim("a", 1, detached=True)
    with pytest.raises(Overloaded):
        admission.enter().claim("a", 1, detached=True)
    streams[0].leave()
    assert admission.detached == 3


def test_buffered_bytes_are_bounded_and_released() -> None:
    admission = Admission(Limits(buffered_body_bytes=10))
    first, second = admission.enter(), admission.enter()
    first.hold(8)
    with pytest.raises(Overloaded):
        second.hold(3)
    first.leave()
    second.hold(10)
    second.leave()
    assert admission.bytes == 0


def test_a_request_that_has_waited_too_long_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.limits._LONGEST_WAIT_SECONDS", 1.0)
    admission = Admission(Limits())
    admission.enter(0.9).leave()
    with pytest.raises(Overloaded):
        admission.enter(1.1)
    assert admission.active == 0
    reserved = admission.enter()
    assert admission.enter(0.9, reserved) is reserved
    with pytest.raises(Overloaded):
        admission.enter(1.1, reserved)
    assert admission.active == 1


def test_the_share_of_a_key_depends_on_its_role() -> None:
    limits = Limits(concurrent_requests=128)
    assert (limits.share_of("officer"), limits.share_of("platform"), limits.share_of("admin")) == (16, 96, 96)
    assert Limits(concurrent_requests=1).share_of("officer") == 1


def test_a_bucket_refills() -> None:
    buckets = Buckets(rate=2, burst=3)
    for _ in range(3):
        spend(buckets, "a", 100.0, "requests")
    with pytest.raises(TooManyRequests, match="too many requests") as refused:
        spend(buckets, "a", 100.1, "requests")
    assert refused.value.retry_after == 1
    spend(buckets, "b", 100.1, "requests")
    spend(buckets, "a", 100.5, "requests")
    for _ in range(3):
        spend(buckets, "a", 200.0, "requests")


def test_a_caller_may_spend_the_requests_of_five_seconds_at_once() -> None:
    buckets = Buckets(rate=2)
    assert [bool(buckets.take("a", 0.0)) for _ in range(11)] == [False] * 10 + [True]


def test_a_bucket_tells_what_is_left_and_when_it_is_full() -> None:
    buckets = Buckets(rate=2, owner="address")
    assert buckets.policy == '"address";q=10;w=5'
    assert buckets.left("a", 100.0) == '"address";r=10;t=0'
    for _ in range(10):
        spend(buckets, "a", 100.0, "requests")
    assert buckets.left("a", 100.0) == '"address";r=0;t=5'
    with pytest.raises(TooManyRequests):
        spend(buckets, "a", 100.2, "requests")
    assert buckets.left("a", 101.4) == '"address";r=2;t=4'  # 2.8 of 10
    assert buckets.left("b", 101.4) == '"address";r=10;t=0'


def test_the_least_recently_used_bucket_is_dropped() -> None:
    buckets = Buckets(rate=1, burst=1, capacity=2)
    for name, now in (("a", 0.0), ("b", 0.0), ("a", 1.0), ("c", 1.0)):
        assert not buckets.take(name, now)
    assert [bool(buckets.take(name, 1.0)) for name in ("a", "b", "c")] == [True, False, True]


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # no setting trusts it
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1,198.51.100.1,10.9.9.9", "198.51.100.1"),
        ("10.0.0.1", "10.9.9.9", "10.9.9.9"),
        ("10.0.0.1", "1.1.1.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "nonsense, 198.51.100.1", "198.51.100.1"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("", "198.51.100.1", ""),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1:53211", "198.51.100.1"),  # as some balancers write it
        ("10.0.0.1", "198.51.100.1, 10.0.0.2:443", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::7]:443", "2001:db8::7"),
        ("10.0.0.1", "[2001:db8::7]", "2001:db8::7"),
        ("10.0.0.1", "198.51.100.1:", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, ", "198.51.100.1"),
        ("10.0.0.1", ",198.51.100.1,,10.0.0.2,", "198.51.100.1"),
    ],
)
def test_the_client_address_behind_a_proxy_is_found(peer: str, forwarded: str, found: str) -> None:
    assert client_address(peer, forwarded, networks("10.0.0.0/8, fd00::/8")) == found


def test_a_network_may_be_written_as_mapped_to_ipv6() -> None:
    trusted = networks("::ffff:10.0.0.0/104, ::ffff:192.0.2.1, ::/0")
    assert [str(one) for one in trusted] == ["10.0.0.0/8", "192.0.2.1/32", "::/0"]
    assert client_address("10.0.0.1", "198.51.100.1", trusted) == "198.51.100.1"


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0.1/8", "somewhere"])
def test_invalid_networks_are_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        networks(text)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("", ""),
        ("unix:x", "unix:x"),
    ],
)
def test_a_subscriber_is_counted_once(address: str, counted: str) -> None:
    assert counted_as(address) == counted
