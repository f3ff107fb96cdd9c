"""The right-most hop that is not trusted, whatever the others say."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import client_address, is_loopback, neighbourhood, networks

TRUSTED = networks("10.0.0.0/8, 2001:db8:1::/48,192.0.2.7")
CLIENT = "203.0.113.9"
ADDRESSES = st.ip_addresses().map(str).filter(lambda address: "10.0.0.1" not in address)


def client(peer: str, *forwarded: str) -> str:
    return str(client_address(peer, [value.encode() for value in forwarded], TRUSTED))


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        (CLIENT, [], CLIENT),
        (CLIENT, ["198.51.100.1"], CLIENT),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [CLIENT], CLIENT),
        ("10.0.0.1", [f"198.51.100.1, {CLIENT}"], CLIENT),
        ("10.0.0.1", ["198.51.100.1", CLIENT], CLIENT),
        ("10.0.0.1", [f"{CLIENT}, 10.0.0.2,192.0.2.7"], CLIENT),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", [f"{CLIENT}, unknown"], "10.0.0.1"),
        ("10.0.0.1", [f"{CLIENT}, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", [f"{CLIENT}:4711"], CLIENT),
        ("2001:db8:1::5", ["[2001:db8:2::1]:4711"], "2001:db8:2::1"),
        ("2001:db8:1::5", ["[2001:db8:2::1]"], "2001:db8:2::1"),
        ("::ffff:10.0.0.1", [f"::ffff:{CLIENT}"], CLIENT),
    ],
)
def test_the_client_is_the_right_most_that_is_not_trusted(
    peer: str, forwarded: list[str], found: str
) -> None:
    assert client(peer, *forwarded) == found


def test_a_peer_without_an_address_has_none() -> None:
    assert client_address("", [CLIENT.encode()], TRUSTED) is None


@given(ADDRESSES, st.lists(st.text(max_size=20), max_size=4))
def test_nothing_that_is_said_before_a_trusted_hop_changes_it(
    address: str, forged: list[str]
) -> None:
    trusted = networks("10.0.0.1")
    told = ", ".join([*(text.replace(",", "") for text in forged), address])
    found = client_address("10.0.0.1", [told.encode("latin-1", "replace")], trusted)
    assert found == client_address("10.0.0.1", [address.encode()], trusted)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "proxy", "10.0.0.0/40", "10.0.0.1 10.0.0.2"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0|proxy"):
        networks(text)


def test_no_networks_are_none() -> None:
    assert networks("") == networks(" , ") == ()


def test_one_client_is_an_address_or_a_network_of_ipv6() -> None:
    assert neighbourhood(ipaddress.ip_address(CLIENT)) == CLIENT
    one, other = (ipaddress.ip_address(f"2001:db8::{last}") for last in ("1", "ffff:2"))
    assert neighbourhood(one) == neighbourhood(other) == "2001:db8::/64"


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("[::1]", True),
        ("localhost", True), ("0.0.0.0", False), ("10.0.0.1", False), ("localhost.example", False),
    ],
)  # fmt: skip
def test_loopback(host: str, is_local: bool) -> None:
    assert is_loopback(host) is is_local
