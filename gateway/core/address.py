"""Which address a request comes from, where proxies stand between: the right-most not trusted.

What a hop's left says of itself can be forged; what a trusted proxy added at the right cannot. Not
here: what follows from an address (`app.attempts`).
"""

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PREFIX_BITS = 64  # of an IPv6 address: what one customer of a provider has at the least


def networks(text: str) -> tuple[Network, ...]:
    """Networks or single addresses, with commas between. Raises ValueError for anything else."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def client_address(
    peer: str, forwarded: Iterable[bytes], trusted: tuple[Network, ...]
) -> Address | None:
    """The client's address. `forwarded` are the values of X-Forwarded-For, in their order.

    None where the peer has none, as on a Unix socket. A hop that cannot be read ends the chain: the
    proxy that passed it on is then the last that is known.
    """
    address = _address(peer)
    hops = [hop for value in forwarded for hop in value.decode("latin-1").split(",")]
    while address is not None and hops and is_in(address, trusted):
        before = _address(hops.pop())
        if before is None:
            return address
        address = before
    return address


def is_in(address: Address, chosen: tuple[Network, ...]) -> bool:
    """Whether an address belongs to one of the networks."""
    return any(address in network for network in chosen)


def neighbourhood(address: Address) -> str:
    """What counts as one client: an IPv4 address, or an IPv6 network."""
    if address.version == 4:  # noqa: PLR2004 - the version's own name
        return str(address)
    return str(ipaddress.ip_network((address, PREFIX_BITS), strict=False))


def is_loopback(host: str) -> bool:
    """Whether a host, by name or by address, can only be this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _address(hop: str) -> Address | None:
    text = hop.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]  # [v6] or [v6]:port
    elif text.count(":") == 1:
        text = text.partition(":")[0]  # v4:port
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
