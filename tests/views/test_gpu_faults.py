"""The direct message about faulty GPUs, and the health of the GPUs in `/gpu show`."""

from __future__ import annotations

from inline_snapshot import snapshot

from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.gpu_health import GpuFault, GpuFaultKind, GpuHealth, GpuNote, GpuNoteKind
from handlers.messages import lists
from tests.views.screens import direct, message, page
from tests.views.stories import ANA, READY_EVENT, clock, gone, happened, reading, ready, request

LOST = GpuFault(gpu=3, kind=GpuFaultKind.LOST, xid=79)
NVLINK = GpuFault(gpu=None, kind=GpuFaultKind.NVLINK, xid=74)
HOT = GpuNote(gpu=2, kind=GpuNoteKind.HOT, value=1500)


def faulty(*faults: GpuFault, id: int = 5) -> Event:
    return happened(EventKind.GPU_FAULT, clock(14, 10), faults=faults, id=id)


def test_the_owner_reads_which_gpus_are_faulty_and_what_that_means() -> None:
    all_lost = [changed(LOST, gpu=gpu) for gpu in range(10)]
    assert page(
        *(
            direct(event, ready(event, request=request(count=8)))
            for event in (
                faulty(LOST),
                faulty(NVLINK, changed(LOST, xid=None), changed(LOST, gpu=5)),
                faulty(*all_lost),
            )
        )
    ) == snapshot("""\

*GPU 3 of your 8x H100 (k7mq2) has fallen off the bus* (Xid 79). Jobs on it will fail until the
      machine is replaced.
[Keep it] [Replace k7mq2, up to $2.47/h]

*A GPU of your 8x H100 (k7mq2) had an error in its NVLink connection to other GPUs* (Xid 74). Jobs
      that use several GPUs may fail or hang.
*GPU 3 has fallen off the bus*. Jobs on it will fail until the machine is replaced.
*GPU 5 has fallen off the bus* (Xid 79).
[Keep it] [Replace k7mq2, up to $2.47/h]

*GPU 0 of your 8x H100 (k7mq2) has fallen off the bus* (Xid 79). Jobs on it will fail until the
      machine is replaced.
*GPU 1 has fallen off the bus* (Xid 79).
*GPU 2 has fallen off the bus* (Xid 79).
*GPU 3 has fallen off the bus* (Xid 79).
*GPU 4 has fallen off the bus* (Xid 79).
*GPU 5 has fallen off the bus* (Xid 79).
*GPU 6 has fallen off the bus* (Xid 79).
*GPU 7 has fallen off the bus* (Xid 79).
2 more faults: /gpu show k7mq2
[Keep it] [Replace k7mq2, up to $2.47/h]
""")


def test_the_message_has_no_buttons_once_kept_replaced_ended_or_newer() -> None:
    first, second = faulty(LOST), faulty(NVLINK, id=6)
    kept = happened(EventKind.KEPT_AS_IT_IS, clock(14, 44), ANA, id=9)
    eight, over = request(count=8), gone(request=request(count=8))
    assert page(
        direct(first, ready(first, kept, request=eight)),
        direct(first, ready(first, second, request=eight)),
        direct(second, ready(first, second, request=eight)),
        direct(first, ready(first, request=eight, replaced_by="f6rat")),
        direct(first, changed(over, events=(READY_EVENT, first, *over.events))),
    ) == snapshot("""\

*GPU 3 of your 8x H100 (k7mq2) has fallen off the bus* (Xid 79). Jobs on it will fail until the
      machine is replaced. You decided to keep it.

*GPU 3 of your 8x H100 (k7mq2) has fallen off the bus* (Xid 79). Jobs on it will fail until the
      machine is replaced. I sent you a newer message about this at 14:10.

*A GPU of your 8x H100 (k7mq2) had an error in its NVLink connection to other GPUs* (Xid 74). Jobs
      that use several GPUs may fail or hang.
[Keep it] [Replace k7mq2, up to $2.47/h]

*GPU 3 of your 8x H100 (k7mq2) has fallen off the bus* (Xid 79). Jobs on it will fail until the
      machine is replaced. Its replacement will be f6rat.

(fallback) Ended at 18:41: 8x H100 (k7mq2).
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 8x H100 (k7mq2)*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
  Computed from price and time; the invoice may differ.
""")


def test_show_lists_faults_and_notes_while_the_machine_runs() -> None:
    health = GpuHealth(faults=(LOST,), notes=(HOT,))
    running = ready(faulty(LOST), request=request(count=8), gpu_health=health)
    over = gone(request=request(count=8), gpu_health=health)
    assert page(
        message(lists.show(running, reader=reading(clock(14, 50), ANA)), clock(14, 50)),
        message(lists.show(over, reader=reading(clock(19, 0), ANA)), clock(19, 0)),
    ) == snapshot("""\

Ready: 8x H100 (k7mq2) in EU for Ana. It ends at 18:40. $2.42/h, $4.96 so far.
  Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run 7"
  GPU 3 has fallen off the bus (Xid 79). GPU 2 has been slowed down by heat for 25 min.
  12:40  Ready after 2 min 51 s: Ana's 8x H100 (k7mq2).
  14:10  GPU 3 of this machine has fallen off the bus (Xid 79).

Ended: 8x H100 (k7mq2) in EU for Ana.
  $14.68 for 6 h 4 min. Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run
      7"
  12:40  Ready after 2 min 51 s: Ana's 8x H100 (k7mq2).
""")
