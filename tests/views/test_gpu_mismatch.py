"""The direct message about a GPU mismatch: a machine has other GPUs than those that were sold."""

from __future__ import annotations

from inline_snapshot import snapshot

from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.machine_use import GpuModel, GpusSeen
from bot.model.state import State
from handlers.messages import lists
from tests.views.screens import direct, message, page
from tests.views.stories import ANA, READY_EVENT, clock, gone, happened, reading, ready, request

H100 = GpuModel(name="NVIDIA H100 80GB HBM3", memory_mib=81559)
A100 = GpuModel(name="NVIDIA A100-SXM4-40GB", memory_mib=40960)
MARKUP = GpuModel(name="<!channel> *A100* `x`", memory_mib=0)


def gpu_mismatch(*models: GpuModel, count: int | None = None) -> Event:
    seen = GpusSeen(count=len(models) if count is None else count, models=models)
    return happened(EventKind.GPU_MISMATCH, clock(12, 42), gpu="nvidia-h100-sxm5-80gb", count=8, gpus_seen=seen)


def test_the_owner_reads_which_gpus_were_sold_and_found() -> None:
    assert page(
        *(
            direct(event, ready(event, request=request(count=8)))
            for event in (
                gpu_mismatch(*[H100] * 7),
                gpu_mismatch(count=7),
                gpu_mismatch(*[H100] * 7, A100),
                gpu_mismatch(*[MARKUP] * 7),
            )
        )
    ) == snapshot("""\

Your 8x H100 (k7mq2) was sold with 8 GPUs, but I see only 7.
[Keep it] [Replace k7mq2, up to $2.47/h]

Your 8x H100 (k7mq2) was sold with 8 GPUs, but I see only 7.
[Keep it] [Replace k7mq2, up to $2.47/h]

Your 8x H100 (k7mq2) was sold as 8x H100 SXM 80 GB, but I see 7x NVIDIA H100 80GB HBM3 with 80 GB
      and 1x NVIDIA A100-SXM4-40GB with 40 GB.
[Keep it] [Replace k7mq2, up to $2.47/h]

Your 8x H100 (k7mq2) was sold as 8x H100 SXM 80 GB, but I see 7x <!channel> *A100* 'x'.
[Keep it] [Replace k7mq2, up to $2.47/h]
""")


def test_the_message_has_no_buttons_once_the_machine_is_kept_or_ended() -> None:
    event = gpu_mismatch(*[H100] * 7)
    kept = happened(EventKind.KEPT_AS_IT_IS, clock(12, 44), ANA, id=9)
    over = gone(request=request(count=8))
    assert page(
        direct(event, ready(event, kept, request=request(count=8))),
        direct(event, changed(over, events=(READY_EVENT, event, *over.events))),
        message(
            lists.show(ready(event, kept, request=request(count=8)), reader=reading(clock(12, 50), ANA)),
            clock(12, 50),
        ),
    ) == snapshot("""\

Your 8x H100 (k7mq2) was sold with 8 GPUs, but I see only 7. You decided to keep it.

(fallback) Ended at 18:41: 8x H100 (k7mq2).
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 8x H100 (k7mq2)*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
  Computed from price and time; the invoice may differ.

Ready: 8x H100 (k7mq2) in EU for Ana. It ends at 18:40. $2.42/h, $4.96 so far.
  Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 8x H100 (k7mq2).
  12:42  This machine was sold with 8 GPUs, but I see only 7.
  12:44  Ana is keeping this machine as it is.
""")
    assert over.rental.state is State.DESTROYED
