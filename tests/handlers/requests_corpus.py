"""Requests as people type them, each with its meaning.

- `=`: The request is understood, and `now` rents immediately.
- `~`: The request is understood, but `now` only shows offers, because something else could be meant or `get` and
  `rent` are missing.
- `!`: The request is an error, followed by words from the error message.

`=` and `~` are followed by the request as `request_text` writes it, without a lease of the default length.
"""

from __future__ import annotations

GPUS_AND_COUNTS = """
get h100 | = H100
get H100 EU | = H100 EU
get an h100 | = H100
get a H100 | = H100
get one h100 | = H100
get 1 h100 | = H100
get 8xH100 | = 8x H100
get 8x H100 | = 8x H100
get 8 x h100 | = 8x H100
get h100 x8 | = 8x H100
get h100x8 | = 8x H100
get H100 x 8 | = 8x H100
get H100:8 | ~ 8x H100
get H100: 8 | ~ 8x H100
get h100, 8 | ~ 8x H100
get h100 8 | ~ 8x H100
get 8 h100 | = 8x H100
get 8h100 | = 8x H100
get 8 H100s | = 8x H100
get eight h100 | = 8x H100
get 8 of H100 | = 8x H100
get 8*h100 | = 8x H100
get 8×H100 | = 8x H100
get (8x H100) | = 8x H100
get `8xH100` | = 8x H100
get “8x H100” | = 8x H100
get *8x H100* | = 8x H100
get *8x* *H100* | = 8x H100
get _8x_ H100 | = 8x H100
get “8x” ‘H100’ | = 8x H100
get 8✕H100 | = 8x H100
get ８ｘＨ１００ | = 8x H100
get 8\u00a0x\u00a0H100 | = 8x H100
get 8x\u200bH100 | = 8x H100
get 8x H100. | = 8x H100
get for 8 h100 | = 8x H100
get 16 h100 | = 16x H100
get 8 gpus h100 | = 8x H100
get 8-gpu h100 | = 8x H100
get h100 8 GPUs | = 8x H100
get 2 cards 4090 | = 2x RTX 4090
get 2x4090 | = 2x RTX 4090
get 2 4090 | = 2x RTX 4090
get 4090 2 | ~ 2x RTX 4090
get 4090x2 | = 2x RTX 4090
get 2x 4090 | = 2x RTX 4090
get 4090:2 | ~ 2x RTX 4090
get 4090 | = RTX 4090
get rtx4090 | = RTX 4090
get rtx 4090 | = RTX 4090
get RTX-4090 | = RTX 4090
get geforce rtx 4090 | = RTX 4090
get nvidia geforce rtx 4090 24gb | = RTX 4090 PCIe 24GB
get nvidia h100 | = H100
get 8 x nvidia h100 | = 8x H100
get 8xNVIDIA-H100 | = 8x H100
get NVIDIA H100 SXM5 80GB | = H100 SXM5 80GB
get 2x nvidia-h100-sxm5-80gb | = 2x H100 SXM5 80GB
get h100 sxm | = H100 SXM5 80GB
get H100SXM | = H100 SXM5 80GB
get h100-pcie | = H100 PCIe 80GB
get pci-e h100 | = H100 PCIe 80GB
get a100 40gb | = A100 SXM4 40GB
get a100-40 | = A100 SXM4 40GB
get 40 GB A100 | = A100 SXM4 40GB
get a100 80gb pcie | = A100 PCIe 80GB
get a100 sxm 80g | = A100 SXM4 80GB
get 2 40GB A100s | = 2x A100 SXM4 40GB
get h100 80gb | = H100
get h100-80 | = H100
get h100-80gb | = H100
get h100-80gb-sxm | = H100 SXM5 80GB
get mi300x | = MI300X
get 4x mi300x | = 4x MI300X
get mi300x x4 | = 4x MI300X
get amd mi 300x | = MI300X
get l40s | = L40S
get l40s pcie | = L40S PCIe 48GB
get 2 l40s | = 2x L40S
get l40 | = L40
get l4 | = L4
get 2 l4 | = 2x L4
get a machine with 8 h100 please | ~ 8x H100
get count 4 h100 | = 4x H100
get max 8 h100 | ! "max 8" isn't an exact number of GPUs
get up to 4 H100s | ! "up to 4" isn't an exact number of GPUs
get at most 2 4090 | ! "at most 2" isn't an exact number of GPUs
get less than 4 A100s | ! "less than 4" isn't an exact number of GPUs
get no more than 2 h100 | ! "no more than 2" isn't an exact number of GPUs
get under 4 h100 | ! "under 4" isn't an exact number of GPUs
get max 8 gpus h100 | ! "max 8 gpus" isn't an exact number of GPUs
get at least 4 h100 | ! I can't look for a minimum, as in "at least 4". Type a number, or a limit: under $3.
get 2 nodes of 8 each h100 | ! I rent one machine at a time, so I can't read "2 nodes"
get 2 machines with 8 h100 | ! I rent one machine at a time, so I can't read "2 machines"
get h100 nodes | ! I rent one machine at a time, so I can't read "nodes"
get 2-4 h100 | ! "2-4" is two numbers
get 2 or 3 h100 | ! "2 or 3" is two numbers
get a100 80 | ! Does "80" mean 80 GB of memory
get 80 a100 | ! Does "80" mean 80 GB of memory
get h100 90 | ! Does "90" mean 90 GB of memory
get 4090 24 | ! Does "24" mean 24 GB of memory
get h100 16 | ! Does "16" mean 16 GB of memory
get a100 80gb | ~ A100 80GB
get A100 80 GB EU | ~ A100 80GB EU
get a100 sxm | ~ A100 SXM
get a100 80 gigs | ~ A100 80GB
get 2x a100 with 80 gigabytes of memory spot | ~ 2x A100 80GB spot
get an a100 40 gigs of vram | ~ A100 SXM4 40GB
get a100 40gib | ~ A100 SXM4 40GB
get 80GB A100 | ~ A100 80GB
get a100 pcie | = A100 PCIe 80GB
get a100 sxm 80gb eu now | = A100 SXM4 80GB EU
get a100-sxm4 | ~ A100 SXM4
get NVIDIA H100 80GB HBM3 | ~ H100
get NVIDIA H100 PCIe | = H100 PCIe 80GB
get NVIDIA A100-SXM4-80GB | = A100 SXM4 80GB
get NVIDIA A100-SXM4-40GB | = A100 SXM4 40GB
get 8x NVIDIA A100 80GB PCIe EU | = 8x A100 PCIe 80GB EU
get NVIDIA GeForce RTX 4090 | = RTX 4090
get NVIDIA L40S for 2h | = L40S for 2h
get NVIDIA B200 | = B200
get NVIDIA H200 | = H200
get AMD Instinct MI300X OAM | ~ MI300X
get mi300x 192gb | = MI300X 192GB
get nvidia a100-pcie-40gb | ! a GPU called "A100 pcie 40gb". Similar names: A100 SXM4 80GB, A100 PCIe 80GB
get a100 80gb under $2/gpu/h for 6h | ~ A100 80GB under $2.00/GPU/h for 6h
get h100 24gb | ! I don't know a GPU called "H100 24gb"
get 1.5x h100 | ! I can't read "1.5x"
get 0.5 h100 | ! I can't tell what "0.5" is. A price has a dollar sign.
get 0 h100 | ! You can't rent 0 GPUs
get -2 h100 | ! I can't read "-2"
get 2x h100 x4 | ! Type one number of GPUs at a time. I read 2 and 4.
get dual 4090 | ~ 2x RTX 4090
get a couple of h100 | ~ 2x H100
get 8 eu h100 | ! I can't tell what "8" is
get 100000 h100 | ! 100000 GPUs are more than anyone rents at once
get h100 a100 | ! Type one GPU at a time. I read H100 and A100.
get h100 or a100 | ! Type one GPU at a time
get h100/a100 | ! Type one GPU at a time. I read H100 and A100.
get h10 | ! I don't know a GPU called "h10"
get rtx 4080 | ! I don't know a GPU called "rtx 4080". Similar names: RTX 4090, L40, H100.
get gpu | ! Which GPU
get 1,000 h100 | ! I can't read "1,000"
get some h100 | ~ H100
"""

REGIONS_CONTRACTS_VENDORS = """
get h100 in europe | = H100 EU
get h100 europe | = H100 EU
get h100 in the EU | = H100 EU
get h100 in the eu region | = H100 EU
get h100 EU region | = H100 EU
get eu h100 | = H100 EU
get h100 region eu | = H100 EU
get h100 region=eu | = H100 EU
get h100 region: EU | = H100 EU
get h100 eu EU europe | = H100 EU
get h100 from europe | = H100 EU
get h100 us | = H100 US
get h100 in US | = H100 US
get h100 u.s. | = H100 US
get h100 USA | = H100 US
get h100 in the united states | = H100 US
get h100 america | = H100 US
get h100 north america | = H100 US
get us h100 | ! "us" can mean the region US, or you and your team
get us 4 h100 | ! "us" can mean the region US, or you and your team
get h100 for us | ! "us" can mean the region US, or you and your team
get h100 us 3 | ! I can't tell what "3" is
get h100 us-east-1 | ! I can't look in "us-east-1" alone. Offers are by region, and this is US.
get h100 eu-west | ! I can't look in "eu-west" alone. Offers are by region, and this is EU.
get h100 asia | = H100 APAC
get h100 Asia-Pacific | = H100 APAC
get h100 apac | = H100 APAC
get h100 anywhere | = H100
get h100 worldwide | = H100
get h100 any region | = H100
get h100 other | = H100 Other
get h100 eu us | ! Type one region at a time. I read EU and US. Try: /gpu get H100 EU
get h100 eu or us | ! Type one region at a time
get h100 eu, us | ! Type one region at a time
get h100 in Germany | ! I can't look in "Germany" alone. Offers are by region, and this is EU.
get h100 germany | ! I can't look in "germany" alone. Offers are by region, and this is EU.
get h100 erope | ! I don't know "erope"
get h100 not eu | ! I can't exclude things, as in "not eu". Type what you want instead.
get h100 in | ! "in" needs a name
get h100 spot | = H100 spot
get h100 spot instance | = H100 spot
get spot h100 | = H100 spot
get h100 on demand | = H100
get h100 on-demand | = H100
get h100 ondemand | = H100
get h100 On_Demand | = H100
get h100 on spot | = H100 spot
get h100 preemptible | = H100 spot
get h100 spot ondemand | ! Type one contract at a time
get h100 no spot | ~ H100
get h100 sopt | ! I don't know "sopt"
get h100 reserved | ! I don't know "reserved"
get h100 from nebius | = H100 vendor nebius
get h100 vendor nebius | = H100 vendor nebius
get h100 on nebius | = H100 vendor nebius
get h100 via nebius | = H100 vendor nebius
get h100 at nebius | = H100 vendor nebius
get h100 nebius | = H100 vendor nebius
get h100 from vendor nebius | = H100 vendor nebius
get h100 vendor: lambda labs | = H100 vendor Lambda Labs
get h100 lambdalabs | = H100 vendor Lambda Labs
get h100 from datacrunch | = H100 vendor data-crunch
get h100 provider hyperstack | = H100 vendor hyperstack
get h100 any vendor | = H100
get h100 vendor | ! "vendor" needs a name
get h100 vendor nebus | ! I don't know a vendor called "nebus"
get h100 from aws | ! I can't rent from aws. Vendors: nebius, hyperstack, scaleway, Lambda Labs, data-crunch.
get h100 nebius scaleway | ! Type one vendor at a time
get h100 not from nebius | ! I can't exclude things, as in "not from nebius". Type what you want instead.
"""

DURATIONS = """
get h100 6h | = H100 for 6h
get h100 for 6h | = H100 for 6h
get h100 for 6 hours | = H100 for 6h
get h100 for 6hrs | = H100 for 6h
get h100 6 h | = H100 for 6h
get h100 6h 6h | = H100 for 6h
get h100 for 90m | = H100 for 1h30m
get h100 90 min | = H100 for 1h30m
get h100 for 1.5h | = H100 for 1h30m
get h100 for 1,5 h | = H100 for 1h30m
get h100 1h30m | = H100 for 1h30m
get h100 1 h 30 min | = H100 for 1h30m
get h100 2h30 | = H100 for 2h30m
get h100 for 2h30 | = H100 for 2h30m
get h100 for an hour | = H100 for 1h
get h100 half an hour | = H100 for 30m
get h100 for two days | = H100 for 48h
get h100 2d | = H100 for 48h
get h100 for a day | = H100 for 24h
get h100 max 6h | = H100 for 6h
get h100 for up to 6h | = H100 for 6h
get h100 for 6h up to 12h | = H100 for 6h up to 12h
get h100 eu for 6h, at most 12h | = H100 EU for 6h up to 12h
get h100 6h max 12h -- fine-tune | = H100 for 6h up to 12h -- fine-tune
get h100 up to 12h for 90m | = H100 for 1h30m up to 12h
get h100 for 4h up to 8h | = H100 for 4h up to 8h
get h100 for 6h up to 6h | = H100 for 6h
get h100 while busy up to 60h | = H100 for 2h up to 60h
get 2x h100 spot while in use up to 60h under $3/GPU/h | = 2x H100 spot under $3.00/GPU/h for 2h up to 60h
get h100 for 4h while busy up to 60h | = H100 for 4h up to 60h
get h100 while busy up to 12h under $20 | ~ H100 under $20.00/GPU/h for 2h up to 12h
get h100 while busy | ! ends when its GPUs stop. By when at the latest? Try: /gpu get H100 for 2h up to 12h
get h100 while busy for 6h | ! By when at the latest? Try: /gpu get H100 for 6h up to 12h
get h100 while busy up to 2h | ! The later end isn't after the first one, 2h.
get h100 for 6h up to 4h | ! The later end isn't after the first one, 6h.
get h100 for 6h up to 100h | ! 100h is too long. A lease is at most 72h.
get h100 no-probe for 6h up to 12h | ! if I don't see whether its GPUs are busy. Try: /gpu get H100 no-probe for 6h
get h100 for 6h up to 12h up to 24h | ! Type one later end at a time. I read 12h and 24h
get h100 until 18:00 up to 12h | = H100 until 2026-03-02 18:00 up to 12h
get h100 until tomorrow 8am up to 24h | = H100 until 2026-03-03 08:00 up to 24h
get h100 eu up to 24h until tomorrow 8am -- a night | = H100 EU until 2026-03-03 08:00 up to 24h -- a night
get h100 until tomorrow 8am at most 24h | = H100 until 2026-03-03 08:00 up to 24h
get h100 until tomorrow 8am up to 10:00 | = H100 until 2026-03-03 08:00 up to 22h
get h100 until tomorrow 8am up to 10 am under $3/GPU | ~ H100 under $3.00/GPU/h until 2026-03-03 08:00 up to 22h
get h100 until tomorrow 8am up to wed 18:00 | = H100 until 2026-03-03 08:00 up to 54h
get h100 until tomorrow 8am max until 2026-03-03 18:00 | = H100 until 2026-03-03 08:00 up to 30h
get h100 until tomorrow 8am up to 30h under $3/GPU | ~ H100 under $3.00/GPU/h until 2026-03-03 08:00 up to 30h
get h100 eu until done up to 12h | = H100 EU until done up to 12h
get h100 up to 12h until done | = H100 until done up to 12h
get h100 until done | = H100 until done up to 72h
get h100 till done, 4h max | ~ H100 until done up to 4h
get h100 until my job is done up to 12h | ~ H100 until done up to 12h
get h100 until it's done | ~ H100 until done up to 72h
get h100 spot until done up to 20:00 -- a sweep | = H100 spot until done up to 2026-03-02 20:00 -- a sweep
get h100 until done up to 12h $24 in all | ~ H100 $24.00 in all until done up to 12h
get h100 until done up to 100h | ! 100h is too long. A lease is at most 72h.
get h100 until done up to tomorrow | ! At what time tomorrow?
get h100 until done up to 2h up to 4h | ! Type one length at a time. I read 2h and 4h
get h100 until done up to 2h up to 20:00 | ! Type one later end at a time.
get h100 until done for 2h | ! "for 2h" and "until done" name two ends, and I can't tell which one decides.
get h100 until 18:00 until done | ! "until 18:00" and "until done" name two ends, and I can't tell which one
get h100 while busy until done up to 8h | ! "while busy" and "until done" name two ends
get h100 until done no-probe | ! With "no-probe", I can't see when a job is done.
get h100 while busy up to 12h until 18:00 | = H100 until 2026-03-02 18:00 up to 12h
get h100 until 9am up to 24h | ~ H100 until 2026-03-03 09:00 up to 24h
get h100 until 18:00 up to 20 | ! I can't tell what "up to 20" is. A price has a dollar sign.
get h100 until 18:00 up to $3 | ~ H100 under $3.00/GPU/h until 2026-03-02 18:00
get h100 while busy until 18:00 | ! By when at the latest? Try: /gpu get H100 until 18:00 up to 8h
get h100 until tomorrow 9am up to 6h | ! The later end isn't after the first one, tomorrow 9am.
get h100 until 18:00 up to 17:00 today | ! The later end isn't after the first one, 18:00.
get h100 until 18:00 up to tomorrow | ! At what time tomorrow?
get h100 until 18:00 up to 100h | ! 100h is too long. A lease is at most 72h
get h100 until 18:00 up to 10h up to 20:00 | ! Type one later end at a time.
get h100 until 18:00 up to 10h for 6h | ! Type a length or an end, not both
get h100 no-probe until 18:00 up to 12h | ! its GPUs are busy. Try: /gpu get H100 no-probe until 18:00
get h100 up to 20:00 | ! Until when does the machine run at least? Try: /gpu get H100 until 20:00
get h100 until 18:00 up to 12h bleu | ! I don't know "bleu". Put a note after --.
get h100 until 18:00 up to 20:00 bleu | ! I don't know "bleu". Put a note after --.
get h100 for 6h up to 12h for $20 | ~ H100 $20.00 in all for 6h up to 12h
get h100 lease 6h | = H100 for 6h
get h100 with a 6h lease | = H100 for 6h
get 6h 8 h100 | = 8x H100 for 6h
get h100 8 6h | ~ 8x H100 for 6h
get h100 for 1 hour and 30 minutes | = H100 for 1h30m
get h100 2 to 4 hours | ! "2 to 4 hours" is two numbers
get h100 for 3 to 5 hours | ! "3 to 5 hours" is two numbers
get h100 2-4h | ! "2-4h" is two numbers
get h100 2–4 hours | ! "2–4 hours" is two numbers
get h100 for 2 – 4 hours | ! "2 – 4 hours" is two numbers
get h100 2h-4h | ! I can't read "-4h"
get h100 2h to 4h | ! Type one length at a time
get h100 between 2 and 4 hours | ! I don't know "between"
get h100 at 3 | ! I can't tell what "at 3" is. A price has a dollar sign.
get h100 at 3pm | ~ H100 at 2026-03-02 15:00
get 8x h100 eu at 9:00 tomorrow for 8h | ~ 8x H100 EU at 2026-03-03 09:00 for 8h
get h100 at 9 tomorrow | ~ H100 at 2026-03-03 09:00
get h100 at 17 on friday for 1h | ~ H100 at 2026-03-06 17:00 for 1h
get h100 at 8pm tonight for 2h | ~ H100 at 2026-03-02 20:00 for 2h
get h100 tomorrow at 9am for 1h | ~ H100 at 2026-03-03 09:00 for 1h
get h100 on fri at noon for 1h | ~ H100 at 2026-03-06 12:00 for 1h
get h100 at 2026-03-04 08:05 for 1h | ~ H100 at 2026-03-04 08:05 for 1h
get h100 @ 9:00 for 1h | ~ H100 at 2026-03-03 09:00 for 1h
get h100 at 9:00 until 17:00 | ~ H100 at 2026-03-03 09:00 for 8h
get h100 until wed 18:00 at 9:00 | ~ H100 at 2026-03-03 09:00 for 33h
get h100 at 9:00 until done up to 4h | ~ H100 at 2026-03-03 09:00 until done up to 4h
get h100 at 9:00 until done up to 18:00 | ~ H100 at 2026-03-03 09:00 until done up to 9h
get h100 at 9:00 tomorrow until done up to 8:00 tomorrow | ! "up to 8:00 tomorrow" isn't after the start
get h100 at 9am for 2h up to 8h | ~ H100 at 2026-03-03 09:00 for 2h up to 8h
get h100 at 9am until 11:00 up to 17:00 | ~ H100 at 2026-03-03 09:00 for 2h up to 8h
get h100 at 9am while busy up to 60h | ~ H100 at 2026-03-03 09:00 for 2h up to 60h
get h100 at 9am at $2 | ~ H100 under $2.00/GPU/h at 2026-03-03 09:00
get h100 at 9am for 8h budget $16 | ~ H100 $16.00 in all at 2026-03-03 09:00 for 8h
get h100 any time under $3/GPU | ~ H100 under $3.00/GPU/h
get h100 at any time | ~ H100
get h100 at tomorrow | ! At what time tomorrow? Try: /gpu get H100 at tomorrow 9:00
get h100 at today 9am | ! "today 9am" has passed.
get h100 at 25:00 | ! "25:00" isn't a time.
get h100 at 2026-02-30 9:00 | ! "2026-02-30" isn't a date.
get h100 at 9 on 2026-03-20 | ! is too far in the future. A start is at most 168h from now.
get h100 at 9am at 10am | ! Type one start at a time. I read 9am and 10am.
get h100 at 9am for 100h | ! 100h is too long. A lease is at most 72h
get h100 at 9:00 tomorrow until today 18:00 | ! "until today 18:00" isn't after the start, 9:00 tomorrow.
get h100 at 9:00 tomorrow until fri 18:00 | ! "until fri 18:00" is too far in the future
get h100 at 9am for 8h until 17:00 | ! Type a length or an end, not both.
get h100 at 9am for 8h up to 2h | ! The later end isn't after the first one, 8h.
get h100 from 9am | ! I can't read the time "from 9am".
get h100 by 17 | ! I can't read the time "by 17"
get h100 5pm | ! I can't read the time "5pm"
get h100 until 18:00 | = H100 until 2026-03-02 18:00
get h100 eu until 6pm | = H100 EU until 2026-03-02 18:00
get 2x h100 till 6:30 pm spot | = 2x H100 spot until 2026-03-02 18:30
get until 18 uhr h100 | = H100 until 2026-03-02 18:00
get h100 until midnight | = H100 until 2026-03-03 00:00
get h100 until 24:00 | = H100 until 2026-03-03 00:00
get h100 until 9am | ~ H100 until 2026-03-03 09:00
get h100 until tomorrow 9am | = H100 until 2026-03-03 09:00
get h100 until tomorrow at 9am | = H100 until 2026-03-03 09:00
get h100 until 9:00 tomorrow | = H100 until 2026-03-03 09:00
get h100 until noon on Wednesday under $3/GPU | ~ H100 under $3.00/GPU/h until 2026-03-04 12:00
get h100 until wed 18:00 -- until it works | = H100 until 2026-03-04 18:00 -- until it works
get h100 until mon 18:00 | = H100 until 2026-03-02 18:00
get h100 until 2026-03-04 08:05 | = H100 until 2026-03-04 08:05
get h100 until fri 18:00 | ! "until fri 18:00" is too far in the future. A lease is at most 72h
get h100 until mon 9am | ! "until mon 9am" is too far in the future
get h100 until today 9am | ! "today 9am" has passed
get h100 until 2026-02-30 18:00 | ! "2026-02-30" isn't a date
get h100 until 25:00 | ! "25:00" isn't a time
get h100 until 13pm | ! "13pm" isn't a time
get h100 until 18 | ! Is "18" a time? Type it with minutes
get h100 until next friday 18:00 | ! I can't read the end "until next"
get h100 until it works | ! I can't read the end "until it"
get h100 until 6h | ! Is "6h" a time of day? For a length, write: for 6h.
get h100 until | ! I can't read the end "until"
get h100 for 6h until 18:00 | ! Type a length or an end, not both
get h100 until 18:00 until 19:00 | ! Type one end at a time. I read 18:00 and 19:00
get h100 $20 until 18:00 | ~ H100 $20.00 in all until 2026-03-02 18:00
get h100 18:00 | ! I can't read the time "18:00". Type a time such as: at 9:00 tomorrow, until 18:00.
get h100 till 6 | ! Is "6" in the morning or in the afternoon?
get h100 until tomorrow | ! At what time tomorrow?
get h100 from 3 | ! I can't read the time "from 3"
get h100 in 2 hours | ! "in 2 hours" sounds like a later start
get h100 in an hour | ! "in an hour" sounds like a later start
get h100 within 2 hours | ! "within 2 hours" sounds like a later start. Type its time, such as at 9:00 tomorrow.
get h100 starting in 2h | ! I don't know "starting"
get h100 tonight | ! Until when? Try: /gpu get H100 until tomorrow 8:00 up to 10:00
get 2x h100 eu until tonight | ! Until when? Try: /gpu get 2x H100 EU until tomorrow 8:00 up to 10:00
get h100 no-probe tonight | ! Until when? Try: /gpu get H100 no-probe until tomorrow 8:00
get h100 tonight for 6h | ! "tonight" sounds like a later start. Type its time, such as at 9:00 tomorrow.
get h100 for 6 | ! I can't tell what "6" is
get h100 for 3 months | ! I can't tell what "3 months" is. Type 3x for GPUs, 3h for hours, $3 for a price.
get h100 1 month | ! I can't tell what "1 month" is
get h100 for 6:30 | ! I can't read the time "6:30"
get h100 for -3h | ! I can't read "-3h"
get h100 1h 30 | ! I can't read the time "1h 30"
get h100 6h 2d | ! Type one length at a time. I read 6h and 48h.
get h100 under 6h | ! I can't read the time "under 6h"
get h100 at least 6h | ! I can't look for a minimum, as in "at least 6h". Type a number, or a limit: under $3.
get h100 about 6h | ~ H100 for 6h
get h100 ~6h | ~ H100 for 6h
get h100 for a few hours | ! I don't know "few"
get h100 overnight | ! Until when? Try: /gpu get H100 until tomorrow 8:00 up to 10:00
get h100 24/7 | ! I can't read "24/7"
get h100 for the next 6 hours | ! I don't know "next"
get h100 for 100h | ! 100h is too long. A lease is at most 72h
get h100 for 0h | ! 0m is too short
get h100 for 30s | ! 30s is too short
get h100 hours 6 | = H100 for 6h
get h100 4 hours each | ! I don't know "each"
get h100 1.500h | ! I can't read "1.500h"
"""

PRICES = """
get h100 under $3 | = H100 under $3.00/GPU/h
get h100 below $3 | = H100 under $3.00/GPU/h
get h100 < $3 | = H100 under $3.00/GPU/h
get h100 <$3 | = H100 under $3.00/GPU/h
get h100 ≤ $3 | = H100 under $3.00/GPU/h
get h100 <= $3 | = H100 under $3.00/GPU/h
get h100 max $3 | = H100 under $3.00/GPU/h
get h100 up to $3 | = H100 under $3.00/GPU/h
get h100 at most $2.75 | = H100 under $2.75/GPU/h
get h100 less than 3 dollars | = H100 under $3.00/GPU/h
get h100 for less than $3 | ~ H100 under $3.00/GPU/h
get h100 under 3 dollars | = H100 under $3.00/GPU/h
get h100 under 3 usd | = H100 under $3.00/GPU/h
get h100 under USD 3 | = H100 under $3.00/GPU/h
get h100 under US$3 | = H100 under $3.00/GPU/h
get h100 under 3$ | = H100 under $3.00/GPU/h
get h100 under 2,50$ | = H100 under $2.50/GPU/h
get h100 unter 2,50$ | ! I don't know "unter"
get h100 max $.50 | = H100 under $0.50/GPU/h
get h100 $3/h | = H100 under $3.00/GPU/h
get h100 3$/h | = H100 under $3.00/GPU/h
get h100 US$3/h | = H100 under $3.00/GPU/h
get h100 USD 3/h | = H100 under $3.00/GPU/h
get h100 $3/h max | = H100 under $3.00/GPU/h
get h100 max 3/h | = H100 under $3.00/GPU/h
get h100 under $3/hr | = H100 under $3.00/GPU/h
get h100 $3 an hour | = H100 under $3.00/GPU/h
get h100 $3 per hour max | = H100 under $3.00/GPU/h
get h100 $3 or less | = H100 under $3.00/GPU/h
get h100 $3 | ~ H100 under $3.00/GPU/h
get h100 max price $3 | = H100 under $3.00/GPU/h
get h100 max price 3 | = H100 under $3.00/GPU/h
get h100 price under $3 | = H100 under $3.00/GPU/h
get h100 cap $3 | = H100 under $3.00/GPU/h
get h100 budget $3/h | = H100 under $3.00/GPU/h
get h100 budget of $3/h | = H100 under $3.00/GPU/h
get h100 under $1,000.00 | = H100 under $1000.00/GPU/h
get h100 under $3.1250 | = H100 under $3.1250/GPU/h
get 2x h100 under $3/gpu/h | = 2x H100 under $3.00/GPU/h
get 2x h100 under 3/gpu/h | = 2x H100 under $3.00/GPU/h
get 2x h100 under $3 per gpu | = 2x H100 under $3.00/GPU/h
get 2x h100 under $3 each | = 2x H100 under $3.00/GPU/h
get 2x h100 under $3 per GPU and hour | = 2x H100 under $3.00/GPU/h
get 2x h100 $3/gpu-hour | = 2x H100 under $3.00/GPU/h
get 4x H100 under $8/h | ~ 4x H100 under $8.00/h
get 4x H100 under $8 | ~ 4x H100 under $8.00/h
get 8xH100 EU spot under $3 for 6h | ~ 8x H100 EU spot under $3.00/h for 6h
get h100 under $3 for 6h | ~ H100 under $3.00/GPU/h for 6h
get h100 for 6h under $3 | ~ H100 under $3.00/GPU/h for 6h
get h100 for 6h for under $3 | ~ H100 under $3.00/GPU/h for 6h
get h100 eu under $2.50/h for 6h | = H100 EU under $2.50/GPU/h for 6h
get h100 budget $500 | ~ H100 $500.00 in all
get h100 budget of $500 | ~ H100 $500.00 in all
get h100 $500 budget | ~ H100 $500.00 in all
get h100 $20 for 10h | ~ H100 $20.00 in all for 10h
get h100 10h for $20 | ~ H100 $20.00 in all for 10h
get h100 10h, $20 | ~ H100 $20.00 in all for 10h
get h100 max $20 total | ~ H100 $20.00 in all
get h100 total $20 | ~ H100 $20.00 in all
get h100 $20 in total | ~ H100 $20.00 in all
get h100 $20 all in | ~ H100 $20.00 in all
get 4x h100 $32/h in all | ~ 4x H100 under $8.00/h
get 2x h100 for 10h max $100 total | ~ 2x H100 $100.00 in all for 10h
get h100 spend $20 | ~ H100 $20.00 in all
get h100 for $3 | ~ H100 $3.00 in all
get h100 max 3 | ! I can't tell what "max 3" is. A price has a dollar sign.
get h100 under 3 | ! I can't tell what "under 3" is. A price has a dollar sign.
get h100 under 2.50 | ~ H100 under $2.50/GPU/h
get h100 3 max | ! I can't tell what "3 max" is. A price has a dollar sign.
get h100 budget 500 | ! I can't tell what "budget 500" is. A price has a dollar sign.
get h100 under cheap | ! "under" needs a price, such as $3.
get h100 cheap | ~ H100
get h100 cheapest | ~ H100
get the cheapest h100 | ~ H100
get cheapest h100 in eu for 2h | ~ H100 EU for 2h
get h100 under €3 | ! I can't read the price "€3". Prices are in US dollars per GPU-hour.
get h100 under 3,50€ | ! I can't read the price "3.50€"
get h100 £3 | ! I can't read the price "£3"
get h100 $-3 | ! I can't read the price "$-3"
get h100 under -3 | ! I can't read the price "-3"
get h100 under $0 | ! A price of $0.00 per GPU-hour can't be right
get h100 under $2.500 | ! I can't read the price "$2.500"
get h100 under $2,500 | ! I can't read the price "$2,500"
get h100 under $5000 | ! A price of $5000.00 per GPU-hour can't be right
get h100 under $3k | ! I can't read the price "$3k"
get h100 under $1e9 | ! I can't read the price "$1e9"
get h100 $2-3 | ! "$2-3" is two numbers
get h100 $2 to $3/h | ! "$2 to $3" is two numbers
get h100 $50/day | ! Prices are per GPU-hour, not "/day"
get h100 under $50 a day | ! Prices are per GPU-hour, not "a day"
get h100 under $8 per machine | ! Prices are per GPU-hour, not "per machine"
get h100 over $3 | ! I can't look for a minimum, as in "over $3". Type a number, or a limit: under $3.
get h100 more than $3 | ! I can't look for a minimum, as in "more than $3". Type a number, or a limit: under $3.
get h100 at $3 | ~ H100 under $3.00/GPU/h
get h100 under $3 max $4 | ! Type one price at a time. I read $3.00 and $4.00.
get h100 50 cents | ! I can't read the price "50 cents". Prices are in US dollars per GPU-hour.
get h100 price | ! "price" needs a price, such as $3.
"""

OPTIONS = """
get h100 --eu | = H100 EU
get h100 --region eu | = H100 EU
get h100 --region=eu | = H100 EU
get h100 6h --gpu h100 | = H100 for 6h
get h100 —region eu | = H100 EU
get h100 --spot | = H100 spot
get h100 --on-demand | = H100
get h100 --vendor nebius | = H100 vendor nebius
get h100 --for 6h | = H100 for 6h
get h100 --lease 6h | = H100 for 6h
get h100 --hours 1 | = H100 for 1h
get h100 --hours=1 | = H100 for 1h
get h100 --price 2 | = H100 under $2.00/GPU/h
get h100 —price 2 | = H100 under $2.00/GPU/h
get h100 --max-price 3 | = H100 under $3.00/GPU/h
get h100 --max $2 | = H100 under $2.00/GPU/h
get h100 --max 2 | ! I can't tell what "max 2" is. A price has a dollar sign.
get h100 —max 2 | ! I can't tell what "max 2" is. A price has a dollar sign.
get --gpu h100 --gpus 4 | = 4x H100
get --gpu=h100 --count=4 --region=eu | = 4x H100 EU
get h100 --gpus 4 | = 4x H100
get h100 -n 4 | ! I don't know the option "-n"
get h100 --foo | ! I don't know the option "--foo"
get h100 --note test | ! I don't know the option "--note"
get h100 --fine-tune | ! I don't know the option "--fine-tune"
get h100 —fine-tune | ! I don't know the option "—fine-tune"
get h100 –fine-tune | ! I don't know the option "–fine-tune"
get h100 eu—fine-tune | ! I don't know "—fine-tune"
get h100 --dry-run | ! I don't know the option "--dry-run"
get h100 -eu | = H100 EU
"""

NOTES = """
get h100 -- fine-tune run 7 | = H100 -- fine-tune run 7
get h100 — fine-tune run 7 | = H100 -- fine-tune run 7
get h100 – fine-tune run 7 | = H100 -- fine-tune run 7
get h100 eu— run 7 | = H100 EU -- run 7
get h100 -- | = H100
get h100 -- for H200 in US at $9 | ~ H100 -- for H200 in US at $9
get h100 -- now | = H100 -- now
get h100 eu now — under $2/h | ~ H100 EU -- under $2/h
get h100 eu now — until done | ~ H100 EU -- until done
get h100 -- 2.50 per hour | ~ H100 -- 2.50 per hour
get h100 -- Budget is $40 | ~ H100 -- Budget is $40
get h100 -- for 2 hours | ~ H100 -- for 2 hours
get h100 -- until 6pm | ~ H100 -- until 6pm
get h100 -- at 9:00 | ~ H100 -- at 9:00
get h100 -- within 20 min | ~ H100 -- within 20 min
get h100 -- two A100s would do | ~ H100 -- two A100s would do
get h100 -- 8xH100 sweep | ~ H100 -- 8xH100 sweep
get h100 -- EU please | ~ H100 -- EU please
get h100 -- in europe | ~ H100 -- in europe
get h100 -- us only | ~ H100 -- us only
get h100 -- If it has NVLink | ~ H100 -- If it has NVLink
get h100 -- unless ben has one | ~ H100 -- unless ben has one
get h100 -- max | ~ H100 -- max
get h100 -- run 7 of 12, 3 h each, 50% | = H100 -- run 7 of 12, 3 h each, 50%
get h100 or other | ~ H100
get the other h100 | ~ H100
get h100 -- tell us about the h100 run | = H100 -- tell us about the h100 run
get h100 -- eu sweep in torch for ana | = H100 -- eu sweep in torch for ana
get h100 - fine-tune | ! I don't know "-"
get h100 for training | ! I don't know "training". Put a note after --.
get h100 fine-tune run 7 | ! I don't know "fine-tune"
get h100 # test | ! I don't know "#"
"""

NOW = """
get h100 now | = H100
rent h100 now | = H100
rent h100 now please | ~ H100
get now h100 | = H100
get h100 eu now please | ~ H100 EU
get h100 asap | ~ H100
get h100 immediately | ~ H100
get h100 right now | ~ H100
get h100 now? | ~ H100
get h100 now! | ~ H100
get h100 "now" | ~ H100
get h100 now now | ~ H100
get h100 --now | ~ H100
get h100 right away | ~ H100
get h100 urgently | ~ H100
get h100 for now | ~ H100
get h100 not now | ! I can't exclude things, as in "not now". Type what you want instead.
get h100 now or later | ! I can't read the time "later". Type a time such as: at 9:00 tomorrow, until 18:00.
get h100 available now | ~ H100
get h100 from now | ! "from" needs a name
find h100 now | ~ H100
find an h100 | ~ H100
search h100 now | ~ H100
search 4x h100 spot | ~ 4x H100 spot
offers h100 now | ~ H100
offers for 2x h100 eu | ~ 2x H100 EU
need h100 now | ~ H100
want 2 h100 now | ~ 2x H100
h100 now | ~ H100
h100 eu | ~ H100 EU
h100 in europe | ~ H100 EU
EU h100 | ~ H100 EU
`get` h100 eu | ~ H100 EU
rent h100 eu | = H100 EU
8xH100 europe spot | ~ 8x H100 EU spot
US h100 | ~ H100 US
i need 2 h100 in eu | ~ 2x H100 EU
i want to rent an h100 | ~ H100
can i get an h100? | ~ H100
what does an h100 cost | ~ H100
get h100? | ~ H100
give me an h100 | ~ H100
"""

MIXED = """
get H100 EU. | = H100 EU
Get h100 Eu | = H100 EU
GET H100 | = H100
get   h100    eu | = H100 EU
get h100,eu,spot | = H100 EU spot
get h100; eu; 6h | = H100 EU for 6h
get h100 (eu) [spot] | = H100 EU spot
get {gpu: h100, count: 4} | = 4x H100
get gpu=h100 region=eu | = H100 EU
get h100:1 eu | ~ H100 EU
get h100 & a100 | ! Type one GPU at a time
get h100 x1 eu spot | = H100 EU spot
/gpu get h100 eu | = H100 EU
!gpu h100 | ~ H100
get h100 eu > out.txt | ! I can't look for a minimum, as in "> out.txt". Type a number, or a limit: under $3.
get h100 $GPU | ! I can't read the price "$GPU"
get h100 eu; rm -rf | ! I don't know "rm"
get h100 8x eu spot 3h $2/h | ~ 8x H100 EU spot under $2.00/h for 3h
get 2x H100's | = 2x H100
get 8 × H100 SXM | = 8x H100 SXM5 80GB
get h100 w/ spot | ! I don't know "w/"
get h100 + a100 | ! Type one GPU at a time
get h100 x2 or x4 | ! Type one number of GPUs at a time
get h1oo | ! I don't know a GPU called "h1oo"
get h 100 | ~ H100
get H-100 | ! I don't know a GPU called "H-100"
get hundred | ! I don't know a GPU called "hundred"
get 2x8 h100 | ! I can't read "2x8"
get 8 Stück h100 | ! I can't tell what "8 Stück" is. Type 8x for GPUs, 8h for hours, $8 for a price.
get h100 für 6 Stunden | ~ H100 for 6h
get h100 für 6h | ~ H100 for 6h
get h100 unter 2,50 € die Stunde | ! I don't know "unter"
get h100 max. $3 | = H100 under $3.00/GPU/h
get h100 höchstens 3$ | ! I don't know "höchstens"
get h100 pour 6 heures | ~ H100 for 6h
get h100 por 6 horas | ! I don't know "por"
get h100 6 std | ~ H100 for 6h
get h100 max 1.000,50 $ | ! A price of $1000.50 per GPU-hour can't be right
get h100 under 1.000 $ | ! I can't read the price "1.000"
get h100 under $ 2,50 | = H100 under $2.50/GPU/h
get h100 5 eur | ! I can't read the price "5 eur". Prices are in US dollars per GPU-hour.
get h100 under 3 $ / h | = H100 under $3.00/GPU/h
get h100 under 3 $/GPU | = H100 under $3.00/GPU/h
get h100 3 from nebius | ~ 3x H100 vendor nebius
get h100 80 gb | = H100
get h100 100gb disk | ! I don't know "disk"
get h100 with 512gb ram | ! I don't know "ram"
get h100 ubuntu | ! I don't know "ubuntu"
get h100 with docker | ! I don't know "docker"
get h100 @ana | ! I don't know who "@ana" is. After "with", type @
get h100 for @ana | ! I don't know who "@ana" is.
get h100 with @ana | ! I don't know who "@ana" is.
get h100 eu with | ! Share with whom? Then type @ and pick the name
get h100 tmrw | ! I can't read the time "tmrw". Type a time such as: at 9:00 tomorrow, until 18:00.
get h100 6h max | ~ H100 for 6h
get h100 6hrs plz | ~ H100 for 6h
get h100 sxm5 8x | = 8x H100 SXM5 80GB
get h100 nvl | ! I don't know a GPU called "H100 nvl"
get pcie h100 eu | = H100 PCIe 80GB EU
get a10 | = A10
get a 10 | ! I can't tell what "10" is
get a100 10 | ! Does "10" mean 10 GB of memory
get h100 2 gpus 6h spot under $2 | ~ 2x H100 spot under $2.00/h for 6h
get me an h100 in the EU region from vendor nebius | ~ H100 EU vendor nebius
get h100 at nebius on spot | = H100 spot vendor nebius
get h100, spot, eu, max $2.50/h, 12h | = H100 EU spot under $2.50/GPU/h for 12h
get 4x a100-80gb | ~ 4x A100 80GB
get 4x a100-40gb eu spot under $1.20/gpu/h for 12h | = 4x A100 SXM4 40GB EU spot under $1.20/GPU/h for 12h
get spot 8xh100 us 2d | = 8x H100 US spot for 48h
get eu spot h100 now | = H100 EU spot
get h100 eu spot under $2.50/h now | = H100 EU spot under $2.50/GPU/h
get 2x h100 under $3/gpu now | = 2x H100 under $3.00/GPU/h
get 2x h100 under $3 now | ~ 2x H100 under $3.00/h
get h100 under $3 for 6h now | ~ H100 under $3.00/GPU/h for 6h
get h100 $3 now | ~ H100 under $3.00/GPU/h
get h100 2 now | ~ 2x H100
get h100 eu now -- train | = H100 EU -- train
get h100 from nebius now | = H100 vendor nebius
get h100 6h now? | ~ H100 for 6h
get? h100 now | ~ H100
rent 2x 4090 eu for 2h now | = 2x RTX 4090 EU for 2h
rent h100 asap now | ~ H100
get h100 eu in | ! "in" needs a name
get h100 nebius from | ! "from" needs a name
get 2x 4090s | = 2x RTX 4090
get two 4090s 3h | = 2x RTX 4090 for 3h
get 4090s | = RTX 4090
get a pair of 4090s | ~ 2x RTX 4090
rent us a h100 now | ! "us" can mean the region US, or you and your team
get h100 us a day | = H100 US for 24h
get h100 u.s.a | = H100 US
rent the other h100 now | ~ H100
rent other 2x h100 | ~ 2x H100
get another h100 | ~ H100
get 8x H100 in EU, on demand, under $2.50 per GPU, 6 h from ready | ~ 8x H100 EU under $2.50/GPU/h for 6h
get h100 6 hous | ! I can't tell what "6 hous" is. Type 6x for GPUs, 6h for hours
get h100 6 Stunden | ~ H100 for 6h
get h100 3 and a half hours | ~ H100 for 3h30m
get 4x h100 max 8 | ! A price has a dollar sign. Try: /gpu get 4x H100 under $8.00/h
get h100 under three | ! I can't tell what "under three" is. A price has a dollar sign.
get a100 80 eu 3h spot | ! Does "80" mean 80 GB of memory?
get 4x h100 for 0h $8 | ! is too short
get h100 no spot eu | ~ H100 EU
get h100 anywhere but us | ! I can't exclude things, as in "anywhere but us". Type what you want instead.
get h100 3h at $2 | ~ H100 under $2.00/GPU/h for 3h
get h100 @ $2.50 | ~ H100 under $2.50/GPU/h
get h100 a couple hours | ~ H100 for 2h
get h100 1 1/2 h | ! I can't tell what "1 1/2" is
get h100 --no-spot | ~ H100
get h100 or better | ! I can't look for a minimum, as in "or better". Type a number, or a limit: under $3.
rent h100 and 4090 later now | ! I can't read the time "later". Type a time such as: at 9:00 tomorrow, until 18:00.
rent h100 for the now | ~ H100
rent h100 now now | ~ H100
rent h100 "now" | ~ H100
rent h100 2 hours from now | ! "from" needs a name
rent h100 not now but at 6 | ! I can't exclude things, as in "not now". Type what you want instead.
rent h100 now in 5 min | ! "in 5 min" sounds like a later start
RENT H100 NOW | = H100
"""

SETUPS = """
get h100 project vision | = H100 for project vision
get h100 eu for project vision for 6h | = H100 EU for project vision for 6h
get h100 eu 6h for the project vision-2 | = H100 EU for project vision-2 for 6h
get h100 --project=vision, 6h | = H100 for project vision for 6h
get h100 project vision project speech | ! Type one project at a time. I read vision and speech.
get h100 setup torch | = H100 setup torch
get h100 eu setup torch for 6h | = H100 EU setup torch for 6h
get setup torch h100 eu now | = H100 EU setup torch
get h100 with setup torch | = H100 setup torch
get h100 set-up torch | = H100 setup torch
get h100 set up torch | = H100 setup torch
get h100 setup=torch, 6h | = H100 setup torch for 6h
get h100 setup: torch-28. | = H100 setup torch-28
get h100 --setup torch | = H100 setup torch
get h100 --setup=torch | = H100 setup torch
get h100 setup torch setup torch | = H100 setup torch
get h100 setup torch setup jax | ! Type one setup at a time. I read torch and jax. Try: /gpu get H100 setup torch
get h100 setup torch for 6 hous | ! Try: /gpu get H100 setup torch
get h100 setups | ! I don't know "setups"
get h100 -- setup torch | = H100 -- setup torch
get h100 no-probe | = H100 no-probe
get h100 keep-if-failed | = H100 keep-if-failed
get h100 eu keep it if saving fails for 6h | = H100 EU keep-if-failed for 6h
get h100 keep if failed no-probe | ! if I don't see whether saving failed. Try: /gpu get H100 keep-if-failed
get h100 eu no probe for 6h | = H100 EU no-probe for 6h
get h100 --no-probe setup torch now | = H100 setup torch no-probe
get no-probe 8xh100 without a probe | = 8x H100 no-probe
get h100 no-prob | ! I don't know "no-prob"
get h100 no-probe for 6 hous | ! Try: /gpu get H100 no-probe
get h100 -- no-probe | = H100 -- no-probe
"""

CORPUS = [
    (line.rpartition(" | ")[0], line.rpartition(" | ")[2])
    for part in (GPUS_AND_COUNTS, REGIONS_CONTRACTS_VENDORS, DURATIONS, PRICES, OPTIONS, NOTES, NOW, MIXED, SETUPS)
    for line in part.strip().splitlines()
]
