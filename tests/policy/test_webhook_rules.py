"""Webhooks in the policy file: the receivers that it can name, and the addresses to which events are sent."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from bot.model.webhook import WebhookEvent
from bot.policy.team.addresses import Reach, may_be_reached, reach_of
from tests.policy.test_rules import read, wrong

WRITE_URL = "write an https URL, such as https://hooks.example.com/gpubot"
WRITE_HOST = "write an https URL with a valid host and port"
PRIVATE = "is a private address; add `private: true` if you mean it"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://a.example.com", f"0.url: {WRITE_URL}"),
        ("HTTPS ://a.example.com/s3cret", f"0.url: {WRITE_URL}"),
        ("https://ä.example.com", f"0.url: {WRITE_URL}"),
        ("https://a.example.com/" + "s" * 500, f"0.url: {WRITE_URL}"),
        ("https://", f"0.url: {WRITE_URL}"),
        ("https:///s3cret", f"0.url: {WRITE_HOST}"),
        ("https://a.example.com:0", f"0.url: {WRITE_HOST}"),
        ("https://a.example.com:https", f"0.url: {WRITE_HOST}"),
        ("https://a.example.com\\\\@b.example.com", f"0.url: {WRITE_HOST}"),
        ("https://[::1", f"0.url: {WRITE_HOST}"),
        ("https://[2606:4700::1]x.example.com/", f"0.url: {WRITE_HOST}"),
        ("https://[2606:4700::1%25eth0]/", f"0.url: {WRITE_HOST}"),
        ("https://127.1", f"0.url: {WRITE_HOST}"),
        ("https://2130706433/", f"0.url: {WRITE_HOST}"),
        ("https://0x7f000001", f"0.url: {WRITE_HOST}"),
        ("https://a..example.com", f"0.url: {WRITE_HOST}"),
        ("https://a%2eexample.com", f"0.url: {WRITE_HOST}"),
        ("https://ana:s3cret@a.example.com", "0.url: the URL must not contain a user or a password"),
        ("https://a.example.com/#s3cret", "0.url: the URL must not contain a #"),
        ("https://169.254.169.254/latest", "0.url: events are never sent to 169.254.169.254"),
        ("https://[fe80::1]/", "0.url: events are never sent to fe80::1"),
        ("https://0.0.0.0:8443", "0.url: events are never sent to 0.0.0.0"),
        ("https://10.0.4.7/s3cret", f"0: 10.0.4.7 {PRIVATE}"),
        ("https://[::1]:8443", f"0: ::1 {PRIVATE}"),
        ("https://[::ffff:192.168.1.1]", f"0: ::ffff:c0a8:101 {PRIVATE}"),
    ],
)
def test_a_webhook_that_is_never_called_is_refused_without_repeating_its_url(
    tmp_path: Path, url: str, words: str
) -> None:
    (line,) = wrong(tmp_path, f'webhooks: [{{url: "{url}"}}]')
    assert line == f"GPUBOT_POLICY: line 1, webhooks.{words}."
    assert "s3cret" not in line


def test_receivers_in_private_networks_and_on_this_machine_need_a_key_of_their_own(tmp_path: Path) -> None:
    urls = ["https://10.0.4.7:8443/a?b=c", "https://[::1]/", "https://Hooks.Example.com", "https://1.1.1.1"]
    text = ", ".join(f'{{url: "{url}", private: true}}' for url in urls)
    webhooks = read(tmp_path, f"webhooks: [{text}]").webhooks
    assert [webhook.url for webhook in webhooks] == urls
    assert [webhook.host for webhook in webhooks] == ["10.0.4.7", "::1", "hooks.example.com", "1.1.1.1"]
    assert all(webhook.events == tuple(WebhookEvent) for webhook in webhooks)


def test_the_page_about_the_policy_has_a_valid_example_of_webhooks(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
    example = page.partition("## Webhooks\n")[2].partition("```\n")[2].partition("```")[0]
    webhooks = read(tmp_path, example).webhooks
    assert [(webhook.host, webhook.private) for webhook in webhooks] == [
        ("hooks.example.com", False),
        ("10.0.4.7", True),
    ]
    assert "hooks.example.com" not in repr(webhooks)


def test_mistakes_in_the_list_of_webhooks_name_the_possible_values(tmp_path: Path) -> None:
    a, b = ("https://a.example.com", "https://b.example.com")
    (unknown,) = wrong(tmp_path, f"webhooks: [{{url: '{a}', events: [rental.ready, rental.redy]}}]")
    names = [*map(repr, map(str, WebhookEvent))]
    assert unknown == (
        f"GPUBOT_POLICY: line 1, webhooks.0.events.1: write {', '.join(names[:-1])} or {names[-1]}."
    )
    (empty,) = wrong(tmp_path, f"webhooks: [{{url: '{a}', events: []}}]")
    assert empty.endswith("webhooks.0.events: name at least one event, or leave the key out for all.")
    (twice,) = wrong(
        tmp_path, f"webhooks: [{{url: '{a}'}}, {{url: '{b}'}}, {{url: '{a}', events: [rental.idle]}}]"
    )
    assert twice.endswith("webhooks: two webhooks have the same URL; list all its events in one of them.")
    (many,) = wrong(tmp_path, f"webhooks: [{', '.join(f'{{url: {a}/{n}}}' for n in range(11))}]")
    assert many.endswith("webhooks: name at most 10 webhooks.")
    (_, misplaced) = wrong(tmp_path, f"webhooks: [{{{a}/s3cret: {{events: [rental.ready]}}}}]")
    assert misplaced.startswith("GPUBOT_POLICY: line 1, webhooks.0.https: there is no such key.")
    (key,) = wrong(tmp_path, f"webhooks: [{{url: '{a}', event: [rental.ready]}}]")
    assert key.endswith("webhooks.0.event: there is no such key. The most similar one is webhooks.0.events.")


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
