"""Tests of the addresses to which webhooks are sent: public ones, private ones if the policy says so, or none."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from bot.policy.team.addresses import Reach, may_be_reached, reach_of


@pytest.mark.parametrize(
    ("reach", "addresses"),
    [
        (Reach.PUBLIC, "8.8.8.8 2606:4700::1 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1"),
        (Reach.PRIVATE, "10.0.0.1 172.16.0.1 192.168.1.1 127.0.0.1 127.1.2.3 100.64.0.1 192.0.2.1 ::1 fc00::1"),
        (Reach.PRIVATE, "fec0::1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 64:ff9b::a00:1 2002:a00:1::1 2002:7f00:1::1"),
        (Reach.NEVER, "169.254.169.254 169.254.0.1 fe80::1 fe80::1%eth0 0.0.0.0 0.1.2.3 :: 255.255.255.255"),
        (Reach.NEVER, "224.0.0.1 239.1.1.1 240.0.0.1 ff02::1 4000::1 ::127.0.0.1 2001:0:808:808::1"),
        (Reach.NEVER, "100.100.100.200 168.63.129.16 fd00:ec2::254 fd20:ce::254"),
        (Reach.NEVER, "::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::1 ::ffff:0.0.0.0"),
    ],
)
def test_each_address_is_public_private_or_never_reached(reach: Reach, addresses: str) -> None:
    for text in addresses.split():
        address = ip_address(text)
        assert (text, reach_of(address)) == (text, reach)
        assert may_be_reached(address, private=False) is (reach is Reach.PUBLIC)
        assert may_be_reached(address, private=True) is (reach is not Reach.NEVER)
