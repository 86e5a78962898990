"""Logging in to a machine: the message that it is ready, and the answer to `/gpu ssh`."""

from __future__ import annotations

from inline_snapshot import snapshot

from bot.model.base import changed
from bot.model.summary import RentalDetails
from bot.policy.access.keys import add_line
from handlers.messages import ssh_lines
from handlers.phrases import blocks
from tests.slack_limits import problems_of_message
from tests.views.screens import direct, message, page
from tests.views.startup_script_stories import FIRST, NOW, key, large, line, sent
from tests.views.stories import ANA, BEN, CARL, READY_EVENT, gone, keys_now, making, reading, ready


def whose_keys(details: RentalDetails, reader: str = ANA) -> str:
    """Return the sentences in the ready message about the keys."""
    fact = ssh_lines.keys_fact(details, reading(NOW, reader))
    assert fact is not None
    return message(blocks.message(fact.value), NOW)


def pasted(details: RentalDetails) -> list[str]:
    """Return the shell lines to paste in the answer to `/gpu ssh`."""
    shown = ssh_lines.ssh(details, reader=reading(NOW, ANA)).blocks
    texts = [block["elements"][0]["elements"][0]["text"] for block in shown if block["type"] == "rich_text"]
    return [text for text in texts if "authorized_keys" in text]


def answer(details: RentalDetails, reader: str = ANA) -> str:
    return message(ssh_lines.ssh(details, reader=reading(NOW, reader)), NOW)


def test_the_ready_message_promises_only_the_default_key() -> None:
    assert page(
        direct(READY_EVENT, sent(key(ANA, "you@desk"), key(BEN, "ben@desk", line(2)))),
        direct(READY_EVENT, sent()),
    ) == snapshot("""\

(fallback) Your 1x H100 (k7mq2) is ready.
(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) It ends at 18:40. It costs $2.42/h, at most $16.06 in all. Your key "you@laptop" works;
      your key "you@desk" and Ben's keys will work if the vendor runs the startup script. It runs at
      Nebius eu-north1.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Your 1x H100 (k7mq2) is ready
$ ssh root@203.0.113.7
| Ends: 18:40
| Price: $2.42/h, at most $16.06
| Keys: Your key "you@laptop" works; your key "you@desk" and Ben's keys will work if the vendor runs
      the startup script
| Place: Nebius eu-north1
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
  Host key: SHA256:Vx1kEjQq0mO8c5rFQ3mE2vV2m0lRrj7mRk3yqf1Zr1A. Don't connect if ssh shows another.
[Extend] [SSH config and keys] [It doesn't work] [Destroy k7mq2]

(fallback) Your 1x H100 (k7mq2) is ready.
(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) It ends at 18:40. It costs $2.42/h, at most $16.06 in all. Your key "you@laptop" works.
      It runs at Nebius eu-north1.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Your 1x H100 (k7mq2) is ready
$ ssh root@203.0.113.7
| Ends: 18:40
| Price: $2.42/h, at most $16.06
| Keys: Your key "you@laptop" works
| Place: Nebius eu-north1
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
  Host key: SHA256:Vx1kEjQq0mO8c5rFQ3mE2vV2m0lRrj7mRk3yqf1Zr1A. Don't connect if ssh shows another.
[Extend] [SSH config and keys] [It doesn't work] [Destroy k7mq2]
""")


def test_keys_with_the_same_comment_are_named_by_their_fingerprints() -> None:
    """All keys of a GitHub user have the same comment."""
    again, desk = key(ANA, "you@laptop", line(2)), key(ANA, "you@desk", line(3))
    shown = [
        whose_keys(details, reader)
        for details, reader in (
            (sent(again, desk), ANA),
            (sent(desk, later=(again,)), ANA),
            (sent(key(BEN, "ben", line(2)), key(BEN, "ben", line(3)), key(BEN, "you@laptop", line(4))), BEN),
        )
    ]
    assert page(*shown) == snapshot("""\

Your key "you@laptop" works; your keys SHA256:jbBYuj and "you@desk" will work if the vendor runs the
      startup script

Your key "you@laptop" works; your key "you@desk" will work if the vendor runs the startup script;
      your key SHA256:jbBYuj isn't on the machine yet

Your keys SHA256:jbBYuj, SHA256:b5j0c8 and "you@laptop" will work if the vendor runs the startup
      script. Otherwise, Ana can add them with /gpu share k7mq2
""")


def test_keys_missing_from_the_purchase_come_with_a_line_to_paste() -> None:
    desk, phone = key(ANA, "you@desk", line(1)), key(ANA, "you@phone", line(2))
    bens = key(BEN, "ben@desk", line(3))
    without_script = sent(later=(desk, bens))
    added_later = sent(desk, later=(phone, bens))
    removed = changed(sent(desk, bens), keys_now=keys_now(FIRST, bens))
    all_removed = changed(sent(desk), keys_now=keys_now(FIRST))
    stories = (without_script, added_later, removed, all_removed)
    assert page(*map(whose_keys, stories)) == snapshot("""\

Your key "you@laptop" works; your key "you@desk" and Ben's keys aren't on the machine yet

Your key "you@laptop" works; your key "you@desk" will work if the vendor runs the startup script;
      your key "you@phone" and Ben's keys aren't on the machine yet

Your key "you@laptop" works; your key "you@desk" and Ben's keys will work if the vendor runs the
      startup script

Your key "you@laptop" works; your key "you@desk" will work if the vendor runs the startup script
""")
    lines = ["".join(pasted(each)) for each in stories]
    assert [[n for n in range(1, 4) if line(n) in command] for command in lines] == [[1, 3], [1, 2, 3], [3], []]


def test_a_replaced_default_key_still_works_and_the_new_one_is_pasted() -> None:
    new = key(ANA, "you@new", line(1))
    replaced = changed(sent(), keys_now=keys_now(new))
    assert whose_keys(replaced) == snapshot(
        'Your key "you@laptop" works; your key "you@new" isn\'t on the machine yet'
    )
    assert [line(1) in command for command in pasted(replaced)] == [True]


def test_a_setup_script_is_named_with_its_log_or_as_not_started() -> None:
    request = changed(ready().rental.request, setup="torch")
    runs, never = sent(setup="torch", request=request), sent(request=request)
    small = [ssh_lines.log_in_parts(each, reading(NOW, ANA))[-1].text for each in (runs, never)]
    assert [text.splitlines()[1] for text in small] == snapshot(
        [
            'The log of setup "torch" is /var/lib/gpubot/setup.log. If it is missing, the setup didn\'t run.',
            'The setup script "torch" wasn\'t started on this machine.',
        ]
    )


def test_own_keys_are_named_by_comment_and_others_by_person() -> None:
    named = sent(*(key(ANA, name) for name in ("pc", "`<b>", "a", "b", "c")))
    others = sent(key(ANA, ""), key(BEN, "ben@desk"), key(BEN, "ben@home"), key(CARL, "carl"))
    many = changed(sent(*(key(name, "") for name in "ABCDEFG")), names={name: name for name in "ABCDEFG"})
    unnamed = changed(sent(), attempts=tuple(changed(each, key_comment="") for each in sent().attempts))
    assert page(*map(whose_keys, (named, others, many, unnamed))) == snapshot("""\

Your key "you@laptop" works; your keys "pc", "'<b>", "a" and 2 more will work if the vendor runs the
      startup script

Your key "you@laptop" works; your key SHA256:FxW/VK and the keys of Ben and Carl will work if the
      vendor runs the startup script

Your key "you@laptop" works; the keys of A, B, C, D, E and 2 more people will work if the vendor
      runs the startup script

Your key works
""")


def test_the_answer_to_ssh_has_command_config_and_lines_to_paste() -> None:
    assert page(answer(sent(key(ANA, "you@desk"), port=2222))) == snapshot("""\

(fallback) Log in with: `ssh -p 2222 root@203.0.113.7`
(fallback) Your key "you@laptop" works; your key "you@desk" will work if the vendor runs the startup
      script.
(fallback) `(umask 077; mkdir -p ~/.ssh; cd ~/.ssh && for k in 'ssh-ed25519 AAAAC3NzaC1lZDI1'; do
      grep -qsxF "$k" authorized_keys || printf '\\n%s\\n' "$k" >>authorized_keys; done)`
(fallback) ```Host gpu-k7mq2
(fallback)     ForwardAgent no```
*Your 1x H100 (k7mq2) is ready.* It ends at 18:40.
$ ssh -p 2222 root@203.0.113.7
| Keys: Your key "you@laptop" works; your key "you@desk" will work if the vendor runs the startup
      script
  Host key: SHA256:Vx1kEjQq0mO8c5rFQ3mE2vV2m0lRrj7mRk3yqf1Zr1A. Don't connect if ssh shows another.
If your key "you@desk" doesn't work, paste this on the machine:
$ (umask 077; mkdir -p ~/.ssh; cd ~/.ssh && for k in 'ssh-ed25519 AAAAC3NzaC1lZDI1'; do grep -qsxF
      "$k" authorized_keys || printf '\\n%s\\n' "$k" >>authorized_keys; done)
For `~/.ssh/config`, above any "Host *":
$ Host gpu-k7mq2
    HostName 203.0.113.7
    Port 2222
    User root
    HostKeyAlias gpu-k7mq2
    CheckHostIP no
    StrictHostKeyChecking accept-new
    ForwardAgent no
Then `ssh gpu-k7mq2` logs you in.
VS Code: `code --remote ssh-remote+gpu-k7mq2 /root`
Jupyter, at localhost:8888: `ssh -L 8888:localhost:8888 gpu-k7mq2`
""")


def test_the_answer_to_ssh_says_what_is_unknown_or_missing() -> None:
    unreachable = ready(quiet_since_real=NOW)
    assert page(*map(answer, (ready(), ready(host=None), unreachable, making(), gone()))) == snapshot("""\

(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) Your key "you@laptop" works.
(fallback) ```Host gpu-k7mq2
(fallback)     ForwardAgent no```
*Your 1x H100 (k7mq2) is ready.* It ends at 18:40.
$ ssh root@203.0.113.7
| Keys: Your key "you@laptop" works
  I couldn't read this machine's host key, so I can't say which one ssh should show.
For `~/.ssh/config`, above any "Host *":
$ Host gpu-k7mq2
    HostName 203.0.113.7
    Port 22
    User root
    HostKeyAlias gpu-k7mq2
    CheckHostIP no
    StrictHostKeyChecking accept-new
    ForwardAgent no
Then `ssh gpu-k7mq2` logs you in.
VS Code: `code --remote ssh-remote+gpu-k7mq2 /root`
Jupyter, at localhost:8888: `ssh -L 8888:localhost:8888 gpu-k7mq2`

(fallback) Your key "you@laptop" works.
*Your 1x H100 (k7mq2) is ready.* It ends at 18:40.
I don't know this machine's address yet, so I can't show its SSH command.
| Keys: Your key "you@laptop" works

(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) Your key "you@laptop" works once the SSH port answers.
(fallback) ```Host gpu-k7mq2
(fallback)     ForwardAgent no```
*Your 1x H100 (k7mq2) is running.* It ends at 18:40.
Nothing answers on its SSH port yet.
$ ssh root@203.0.113.7
| Keys: Your key "you@laptop" works once the SSH port answers
  I couldn't read this machine's host key, so I can't say which one ssh should show.
For `~/.ssh/config`, above any "Host *":
$ Host gpu-k7mq2
    HostName 203.0.113.7
    Port 22
    User root
    HostKeyAlias gpu-k7mq2
    CheckHostIP no
    StrictHostKeyChecking accept-new
    ForwardAgent no
Then `ssh gpu-k7mq2` logs you in.
VS Code: `code --remote ssh-remote+gpu-k7mq2 /root`
Jupyter, at localhost:8888: `ssh -L 8888:localhost:8888 gpu-k7mq2`

Your 1x H100 (k7mq2) isn't ready yet (starting). I'll send you the SSH command once it's ready.

Ended at 18:41: your 1x H100 (k7mq2).
""")


def test_long_lines_to_paste_get_their_own_blocks_and_are_never_cut() -> None:
    keys = [large(n) for n in range(3)]
    for count in (1, 2, 3):
        shown = ssh_lines.ssh(sent(*keys[:count]), reader=reading(NOW, ANA))
        assert problems_of_message(shown.text, shown.blocks) == []
        assert pasted(sent(*keys[:count])) == [add_line([each.line]) for each in keys[: min(count, 2)]]
        assert ("1 more key didn't fit here." in answer(sent(*keys[:count]))) == (count > 2)


def test_the_config_block_is_left_out_if_the_address_is_invalid() -> None:
    assert ssh_lines.config_block(ready(host="h\n    ProxyCommand id").rental) is None


def test_an_ssh_command_requires_a_valid_host_and_port() -> None:
    addresses = (
        ("203.0.113.7", None),
        ("203.0.113.7", 22),
        ("gpu-1.example.com", 2222),
        ("2001:db8::7", 2222),
        ("127.0.0.1", 8022),
        ("-oProxyCommand=x", 22),
        ("h; rm -rf /", 22),
        ("fe80::1%eth0", 22),
        ("203.0.113.7\n", 22),
        ("", 22),
        (None, 22),
        ("203.0.113.7", 0),
        ("203.0.113.7", 70_000),
    )
    assert [(*address, ssh_lines.ssh_command(*address)) for address in addresses] == snapshot(
        [
            ("203.0.113.7", None, "ssh root@203.0.113.7"),
            ("203.0.113.7", 22, "ssh root@203.0.113.7"),
            ("gpu-1.example.com", 2222, "ssh -p 2222 root@gpu-1.example.com"),
            ("2001:db8::7", 2222, "ssh -p 2222 root@2001:db8::7"),
            ("127.0.0.1", 8022, "ssh -p 8022 root@127.0.0.1"),
            ("-oProxyCommand=x", 22, None),
            ("h; rm -rf /", 22, None),
            ("fe80::1%eth0", 22, None),
            ("203.0.113.7\n", 22, None),
            ("", 22, None),
            (None, 22, None),
            ("203.0.113.7", 0, None),
            ("203.0.113.7", 70000, None),
        ]
    )
