"""Decides to which IP addresses the bot sends webhooks."""

from __future__ import annotations

from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IpAddress = IPv4Address | IPv6Address
_NAT64 = IPv6Network("64:ff9b::/96")
_ASSIGNED_IPV6 = IPv6Network("2000::/3")
"""The only IPv6 addresses that IANA has assigned for public use (its registry "IPv6 Address Space")."""
_NEVER_IPV4 = (
    IPv4Network("0.0.0.0/8"),  # "this network": RFC 1122, section 3.2.1.3
    IPv4Network("100.100.100.200/32"),  # Alibaba Cloud
    IPv4Network("168.63.129.16/32"),  # Azure
    IPv4Network("192.0.0.192/32"),  # Oracle Cloud
)
_NEVER_IPV6 = (
    IPv6Network("fd00:ec2::/32"),  # AWS
    IPv6Network("fd20:ce::/32"),  # Google Cloud
)
"""Networks to which nothing is ever sent, although they are neither link-local nor reserved.

Most of them contain the servers from which the machines of a cloud provider read their credentials. Over IPv4,
most providers use the link-local address 169.254.169.254 instead.
"""


class Reach(IntEnum):
    """The kinds of IP addresses, from the least to the most restricted."""

    PUBLIC = 0
    PRIVATE = 1
    """An address of a private network or of the bot's machine, or another address that isn't public."""
    NEVER = 2
    """An address that no receiver can have, or at which machines read their credentials."""


def may_be_reached(address: IpAddress, *, private: bool) -> bool:
    """Return whether events may be sent to an IP address.

    The bot's own machine and private networks may be reached only if `private` is set. Link-local, multicast and
    reserved addresses may never be reached.
    """
    return reach_of(address) <= (Reach.PRIVATE if private else Reach.PUBLIC)


def reach_of(address: IpAddress) -> Reach:
    """Return the kind of an IP address.

    Some IPv6 addresses contain an IPv4 address, to which a gateway or the system passes packets on. They are as
    restricted as that address. These are mapped addresses (RFC 4291), NAT64 (RFC 6052) and 6to4 (RFC 3056). A
    Teredo address (RFC 4380) contains two of them, and is never reached, because nobody uses Teredo any more.
    """
    if isinstance(address, IPv4Address):
        never, assigned = any(address in network for network in _NEVER_IPV4), True
    else:
        inside = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inside = IPv4Address(address.packed[-4:])
        if inside is not None:
            return reach_of(inside)
        if address.is_loopback:
            return Reach.PRIVATE
        never = address.teredo is not None or any(address in network for network in _NEVER_IPV6)
        assigned = address in _ASSIGNED_IPV6
    if never or address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
        return Reach.NEVER
    return Reach.PUBLIC if address.is_global and assigned else Reach.PRIVATE
