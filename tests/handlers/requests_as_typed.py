"""Requests as people type them on phones and laptops, each with its meaning or its error.

`=` and `~` have the same meaning as in `requests_corpus.py`. `!` means that the request can't be read. It is
followed by the first sentence of the error and, in brackets, each suggested line that has a button, as people see
it after `/gpu get`.
"""

# ruff: noqa: E501 - a request and its lines stand on one line

from __future__ import annotations

AS_TYPED = """
get hey can I get an h100 in europe please | ~ H100 EU
can I get 2 h100s in europe for 6h plz | ~ 2x H100 EU for 6h
hi, could you get me an a100? | ~ A100
I need an h100 just for 2h | ~ H100 for 2h
we need 4 h100 asap | ~ 4x H100
give me the cheapest h100 | ~ H100
get cheapest 4090 eu | ~ RTX 4090 EU
get me just one h100, thanks | ~ H100
gimme 2 h100s | ~ 2x H100
i'd like an h100 for 3 hours | ~ H100 for 3h
looking for 8x h100 spot | ~ 8x H100 spot
I'm looking for an l40s in the us | ~ L40S US
is there an h100 in asia | ~ H100 APAC
do you have any h200 | ~ H200
how much is an h100 | ~ H100
what does an a10 cost | ~ A10
whats available h100 eu | ~ H100 EU
get an h100 if possible in eu | ~ H100 EU
get h100, ideally from nebius | ~ H100 vendor nebius
get some 4090s | ~ RTX 4090
get another h100 for 2h please | ~ H100 for 2h
rent 2 more h100s | ~ 2x H100
get me 2 h100s in eu now please | ~ 2x H100 EU
rent h100 now thx | ~ H100
please rent h100 now | ~ H100
get h100 not spot | ~ H100
get h100 no spot | ~ H100
get h100 eu non-spot | ~ H100 EU
get h100 without spot | ~ H100
get h100 on demand only | ~ H100
get h100 only on demand | ~ H100
get h100 only spot now | ~ H100 spot
get h100 --no-spot | ~ H100
get h100 not spot now | ~ H100
get h100 under 2.50 | ~ H100 under $2.50/GPU/h
get h100 under 2,50 | ~ H100 under $2.50/GPU/h
get h100 eu max 2.50 | ~ H100 EU under $2.50/GPU/h
get h100 below 2.5 for 6h | ~ H100 under $2.50/GPU/h for 6h
get 4x h100 max 2.50 | ~ 4x H100 under $2.50/h
get 4x h100 2.50 each | ~ 4x H100 under $2.50/GPU/h
get 4x h100 2,50 each | ~ 4x H100 under $2.50/GPU/h
get h100 less than 2.75 | ~ H100 under $2.75/GPU/h
get h100 under 2.50 now | ~ H100 under $2.50/GPU/h
get h100 under 3 | ! I can't tell what "under 3" is. [H100 under $3.00/GPU/h]
get h100 max 3 | ! I can't tell what "max 3" is. [H100 under $3.00/GPU/h]
get h100 eu max 3 for 6h | ! I can't tell what "max 3" is. [H100 EU under $3.00/GPU/h for 6h]
get 4x h100 2 each | ! I can't tell what "2 each" is. [4x H100 under $2.00/GPU/h]
get 4x h100 eu under 8 | ! I can't tell what "under 8" is. [4x H100 EU under $8.00/h]
get h100 at $2.50 | ~ H100 under $2.50/GPU/h
get h100 at 2.50 | ! I can't tell what "at 2.50" is. [H100 under $2.50/GPU/h]
get h100 at 3 | ! I can't tell what "at 3" is. [H100 under $3.00/GPU/h]
get h100 @ 2.50 | ! I can't tell what "@ 2.50" is. [H100 under $2.50/GPU/h]
get h100 @ $3 | ~ H100 under $3.00/GPU/h
get max 2.50 h100 | ! I can't tell what "max 2.50" is. [H100 under $2.50/GPU/h]
get under 3 h100 eu | ! "under 3" isn't an exact number of GPUs. Type one number. [3x H100 EU]
get 2.50 h100 | ! I can't tell what "2.50" is. [H100 under $2.50/GPU/h]
get h100 2.50 | ! I can't tell what "2.50" is. [H100 under $2.50/GPU/h]
get h100 2 an hour | ~ H100 under $2.00/GPU/h
get 2 an hour h100 | ~ H100 under $2.00/GPU/h
get h100 eu for 2 an hour | ~ H100 EU under $2.00/GPU/h
get h100 max 2.50 an hour | ~ H100 under $2.50/GPU/h
get h100 2 per hour | = H100 under $2.00/GPU/h
get h100 2 hourly | ~ H100 under $2.00/GPU/h
get 2x h100 3 a gpu | ~ 2x H100 under $3.00/GPU/h
get h100 2 an hour for 6h | ~ H100 under $2.00/GPU/h for 6h
get h100 2 an hour now | ~ H100 under $2.00/GPU/h
get 2² h100 | ! I can't read "2²".
get 2²x h100 | ! I can't read "2²x".
get h100 x2² | ! I don't know "x2²".
get 2.0 h100 | ! I can't tell what "2.0" is. [H100 under $2.00/GPU/h]
get 2.0x h100 | ! I can't read "2.0x".
get h100 2.0 | ! I can't tell what "2.0" is. [H100 under $2.00/GPU/h]
get h100 count 2.0 | ! I can't read "2.0".
get ½ h100 | ! I can't read "½".
get 4x h100 $40/h in all | ~ 4x H100 under $10.00/h
get 4x h100 for $40/h in all | ~ 4x H100 under $10.00/h
get h100 $20 for 10h | ~ H100 $20.00 in all for 10h
get h100 for 10h for $20 | ~ H100 $20.00 in all for 10h
get 2x h100 10h $100 total | ~ 2x H100 $100.00 in all for 10h
get h100 budget $100 | ~ H100 $100.00 in all
get h100 until 18:00 for $12 | ~ H100 $12.00 in all until 2026-03-02 18:00
get 8x h100 total $1000 for 5h now | ~ 8x H100 $1000.00 in all for 5h
get h100 for 6h up to 12h $24 in all | ~ H100 $24.00 in all for 6h up to 12h
get h100 under $3 for 6h | ~ H100 under $3.00/GPU/h for 6h
get h100 $5000 in total for 1h | ! A price of $5000.00 per GPU-hour can't be right. That's what $5000.00 in all comes to.
get h100 until 6 p.m. | ~ H100 until 2026-03-02 18:00
get h100 until 6p.m. | ~ H100 until 2026-03-02 18:00
get h100 until 9 a.m. tomorrow | ~ H100 until 2026-03-03 09:00
get h100 until 18h | ~ H100 until 2026-03-02 18:00
get h100 until 18h30 | ~ H100 until 2026-03-02 18:30
get h100 until 9h | ! Is "9h" a time of day? [H100 until 9am] [H100 until 9pm]
get h100 until tmrw 9am | ~ H100 until 2026-03-03 09:00
get h100 until tmr 9am | ~ H100 until 2026-03-03 09:00
get h100 until tmrw | ! At what time tomorrow? [H100 until tomorrow 18:00]
get h100 until tommorow 18:00 | ~ H100 until 2026-03-03 18:00
get h100 until 4 Mar 18:00 | ~ H100 until 2026-03-04 18:00
get h100 until Mar 4 6pm | ~ H100 until 2026-03-04 18:00
get h100 until 4th of march 18:00 | ~ H100 until 2026-03-04 18:00
get h100 until 18:00 4 mar | ~ H100 until 2026-03-04 18:00
get h100 until March 4 | ! At what time on march 4? [H100 until march 4 18:00]
get h100 until 27 Nov 18:00 | ! "until 27 nov 18:00" is too far in the future. A lease is at most 72h.
get h100 until 31 feb 18:00 | ! "31 feb" isn't a date.
get h100 until 6 p.m. now | ~ H100 until 2026-03-02 18:00
get h100 6h max | ~ H100 for 6h
get h100 eu 6h max | ~ H100 EU for 6h
get h100 max 6h | = H100 for 6h
get h100 for 2h, 6h max | ~ H100 for 2h up to 6h
get h100 6h at most | ~ H100 for 6h
get h100 6h max $3 | ~ H100 under $3.00/GPU/h for 6h
get h100 in the states | ~ H100 US
get h100 states | ~ H100 US
get h100 in the united states | = H100 US
get h100 europa | ~ H100 EU
get h100 somewhere in europe | ~ H100 EU
get h100 anywhere in the states | ~ H100 US
get h100 within the eu | ~ H100 EU
get h100 in the states now | ~ H100 US
get h100 in paris | ! I can't look in "paris" alone. Offers are by region, and this is EU. [H100 EU]
get h100 paris | ! I can't look in "paris" alone. Offers are by region, and this is EU. [H100 EU]
get 4x h100 frankfurt under $3 for 6h | ! I can't look in "frankfurt" alone. Offers are by region, and this is EU. [4x H100 EU under $3.00/h for 6h]
get h100 eu-north1 | ! I can't look in "eu-north1" alone. Offers are by region, and this is EU. [H100 EU]
get h100 region eu-north1 | ! I can't look in "eu-north1" alone. Offers are by region, and this is EU. [H100 EU]
get h100 us-east-1 spot | ! I can't look in "us-east-1" alone. Offers are by region, and this is US. [H100 US spot]
get h100 in us-west-2 | ! I can't look in "us-west-2" alone. Offers are by region, and this is US. [H100 US]
get h100 europe-west4 | ! I can't look in "europe-west4" alone. Offers are by region, and this is EU. [H100 EU]
get h100 US-TX-3 | ! I can't look in "US-TX-3" alone. Offers are by region, and this is US. [H100 US]
get h100 ap-southeast-1 | ! I can't look in "ap-southeast-1" alone. Offers are by region, and this is APAC. [H100 APAC]
get h100 EU-RO-1 | ! I can't look in "EU-RO-1" alone. Offers are by region, and this is EU. [H100 EU]
get h100 nor-1 | ! I can't look in "nor-1" alone. Offers are by region, and this is EU. [H100 EU]
get h100 from germany | ! I can't look in "germany" alone. Offers are by region, and this is EU. [H100 EU]
get h100 tokyo | ! I can't look in "tokyo" alone. Offers are by region, and this is APAC. [H100 APAC]
get h100 in new york for 2h | ! I can't look in "new york" alone. Offers are by region, and this is US. [H100 US for 2h]
get h100 eu paris | ! I can't look in "paris" alone. Offers are by region, and this is EU. [H100 EU]
get h100 us paris | ! I can't look in "paris" alone. Offers are by region, and this is EU.
get h100 in london | ! I can't look in "london" alone. Offers are by region: US, EU, APAC, Other.
get h100 toronto | ! I can't look in "toronto" alone. Offers are by region: US, EU, APAC, Other.
get h100 in narnia | ! I don't know the region "narnia".
get h100 us east | ! I don't know "east". [H100 US]
get now us 2 h100s | ! "us" can mean the region US, or you and your team. [2x H100 US] [2x H100]
rent now us h100 | ! "us" can mean the region US, or you and your team. [H100 US] [H100]
rent us an h100 now | ! "us" can mean the region US, or you and your team. [H100 US] [H100]
get please us an h100 | ! "us" can mean the region US, or you and your team. [H100 US] [H100]
get h100 for us | ! "us" can mean the region US, or you and your team. [H100 US] [H100]
get h100 us | = H100 US
get us-based h100 | ~ H100 US
get h100 from aws | ! I can't rent from aws. [H100 from any vendor]
get h100 aws | ! I can't rent from aws. [H100 from any vendor]
get h100 on azure eu | ! I can't rent from azure. [H100 EU from any vendor]
get h100 eu vendor google for 6h | ! I can't rent from google. [H100 EU for 6h from any vendor]
get h100 from nebuis | ! I don't know a vendor called "nebuis". [H100 vendor nebius]
get h100 from lambda eu | ! I don't know a vendor called "lambda". [H100 EU vendor Lambda Labs]
get h100 from anyone other than lambda | ! I can't exclude things, as in "anyone other than lambda".
get h100 from anyone but nebius | ! I can't exclude things, as in "anyone but nebius".
get h100 except nebius | ! I can't exclude things, as in "except nebius".
get h100 not nebius | ! I can't exclude things, as in "not nebius".
get h100 no nebius please | ! I can't exclude things, as in "no nebius".
get h100 avoid nebius | ! I can't exclude things, as in "avoid nebius".
get h100 other than nebius | ! I can't exclude things, as in "other than nebius".
get h100 anything but spot | ! I can't exclude things, as in "anything but spot".
get h100 not eu | ! I can't exclude things, as in "not eu".
get h100 outside the us | ! I can't exclude things, as in "outside the us".
get h100 not in europe | ! I can't exclude things, as in "not in europe".
get h100 anywhere but us | ! I can't exclude things, as in "anywhere but us".
get h100 eu nebius training | ! I don't know "training".
get h100 sick of nebius | ! I don't know "sick".
get h100 max 2,50€/h | ! I can't read the price "2.50€/h".
get h100 max 2,50 € | ! I can't read the price "max 2.50 €".
get h100 under 3 eur | ! I can't read the price "under 3 eur".
get h100 3 pounds | ! I can't read the price "3 pounds".
get h100 £2/h eu | ! I can't read the price "£2/h".
get h100 under 300 yen | ! I can't read the price "under 300 yen".
get h100 max 2.50€ in eu for 6h | ! I can't read the price "2.50€".
get h100 x 12 hours | ! I don't know "x". [H100 for 12h]
get h100 x 12 hours eu | ! I don't know "x". [H100 EU for 12h]
get h100 x12 | = 12x H100
get h100 12 hous | ! I can't tell what "12 hous" is. [H100 for 12h]
get h100 eu 6 houres | ! I can't tell what "6 houres" is. [H100 EU for 6h]
get h100 for 6 | ! I can't tell what "6" is. [6x H100] [H100 for 6h] [H100 under $6.00/GPU/h]
get h100 eu 8 | ! I can't tell what "8" is. [8x H100 EU] [H100 EU for 8h] [H100 EU under $8.00/GPU/h]
get 8 eu h100 | ! I can't tell what "8" is. [8x H100 EU] [H100 EU for 8h] [H100 EU under $8.00/GPU/h]
get h100 6 Stunden | ~ H100 for 6h
get h100 for 3 months | ! I can't tell what "3 months" is.
get h100 1h 30 | ! I can't read the time "1h 30". [H100 for 1h30m]
get h100 for 3 minuts | ! I can't tell what "3 minuts" is. [H100 for 3m]
get h100 4 gpsu | ! I can't tell what "4 gpsu" is. [4x H100]
get h100 erope | ! I don't know "erope". [H100 EU]
get h100 sopt eu 6h | ! I don't know "sopt". [H100 EU spot for 6h]
get h100 nebus | ! I don't know "nebus". [H100 vendor nebius]
get h10 eu | ! I don't know a GPU called "h10". [H100 EU]
get 8 h1oo eu | ! I don't know a GPU called "h1oo". [8x H100 EU]
get rtx 4080 eu | ! I don't know a GPU called "rtx 4080". [RTX 4090 EU]
get h100 foo | ! I don't know "foo". [H100]
get h100 foo bar | ! I don't know "foo" and "bar". [H100]
get h100 eu for training run 7 | ! I don't know "training" and "run". [7x H100 EU] [H100 EU for 7h] [H100 EU under $7.00/GPU/h]
get h100 foo bar baz qux | ! I don't know "foo", "bar" and "baz".
get h100 eu/us | ! Type one region at a time. I read EU and US. [H100 EU] [H100 US]
get h100 or 4090 in eu/us | ! Type one GPU at a time. I read H100 and RTX 4090.
need 4 gpus h100 in EU, max 10 usd total per hour | ~ 4x H100 EU under $2.50/h
get h100 from nebius or scaleway for 2h | ! Type one vendor at a time. I read nebius and scaleway. [H100 vendor nebius for 2h] [H100 vendor scaleway for 2h]
get h100 for 6h 9 gpsu | ! I can't tell what "9 gpsu" is. [9x H100 for 6h]
get h100 eu us | ! Type one region at a time. I read EU and US. [H100 EU] [H100 US]
get h100 or a100 | ! Type one GPU at a time. I read H100 and A100. [H100] [A100]
get h100 a100 eu 6h | ! Type one GPU at a time. I read H100 and A100. [H100 EU for 6h] [A100 EU for 6h]
get 2x h100 4x | ! Type one number of GPUs at a time. I read 2 and 4. [2x H100] [4x H100]
get h100 4h 6h | ! Type one length at a time. I read 4h and 6h. [H100 for 4h] [H100 for 6h]
get h100 nebius scaleway | ! Type one vendor at a time. I read nebius and scaleway. [H100 vendor nebius] [H100 vendor scaleway]
get h100 spot on demand | ! Type one contract at a time. I read spot and ondemand. [H100 spot] [H100]
get h100 under $3 max $4 | ! Type one price at a time. I read $3.00 and $4.00. [H100 under $3.00/GPU/h] [H100 under $4.00/GPU/h]
get h100 for 6h until 18:00 | ! Type a length or an end, not both. [H100 for 6h] [H100 until 18:00]
get h100 for 6h up to 4h | ! The later end isn't after the first one, 6h. [H100 for 4h up to 6h]
get h100 for 100h | ! 100h is too long. A lease is at most 72h.
get h100 setup torch erope | ! I don't know "erope". [H100 EU setup torch]
get h100 no-probe erope | ! I don't know "erope". [H100 EU no-probe]
get h100 no-probe for 6h up to 12h | ! I can't move the machine's end if I don't see whether its GPUs are busy. [H100 no-probe for 6h] [H100 no-probe for 12h]
get h100 --eu --foo | ! I don't know the option "--foo". [H100 EU]
get h100 -n 4 | ! I don't know the option "-n". [4x H100] [H100 for 4h] [H100 under $4.00/GPU/h]
get h100 vendor | ! "vendor" needs a name: nebius, hyperstack, scaleway, Lambda Labs, data-crunch. [H100]
get h100 region | ! "region" needs a name: US, EU, APAC, Other. [H100]
get h100 under | ! "under" needs a price, such as $3. [H100]
get h100 18:00 | ! I can't read the time "18:00". [H100 until 18:00] [H100 at 18:00]
get h100 by 18:00 | ! I can't read the time "by 18:00". [H100 until 18:00]
get h100 at 5pm | ~ H100 at 2026-03-02 17:00
get h100 from 9:00 | ! I can't read the time "from 9:00". [H100 at 9:00]
get h100 5pm | ! I can't read the time "5pm". [H100 until 5pm] [H100 at 5pm]
get h100 tomorrow | ! I can't read the time "tomorrow".
get h100 in 2 hours | ! "in 2 hours" sounds like a later start.
get h100 2 to 4 hours | ! "2 to 4 hours" is two numbers. Type one.
get at least 4 h100 | ! I can't look for a minimum, as in "at least 4".
get h100 over $3 | ! I can't look for a minimum, as in "over $3".
get h100 or better | ! I can't look for a minimum, as in "or better".
get h100 min 6h | ! I can't look for a minimum, as in "min 6h".
get h100 max 8 gpus | ! "max 8 gpus" isn't an exact number of GPUs. Type one number. [8x H100]
get max 8 h100 | ! "max 8" isn't an exact number of GPUs. Type one number. [8x H100]
get under 2.5 h100 | ! I can't tell what "under 2.5" is. [H100 under $2.50/GPU/h]
get h100 budget 500 | ! I can't tell what "budget 500" is. [H100 $500.00 in all]
get h100 under -3 | ! I can't read the price "-3".
get h100 $50/day | ! Prices are per GPU-hour, not "/day".
get h100 erope -- run 7 & co | ! I don't know "erope". [H100 EU -- run 7 & co]
get eu spot 6h | ! Which GPU? [H100 EU spot for 6h]
get 8 spot | ! I can't tell what "8" is.
get 4x h100 under 2.50 each | ~ 4x H100 under $2.50/GPU/h
get h100 under 2.50 zloty | ! I can't read the price "under 2.50 zloty".
get h100 at 3 eur | ! I can't read the price "at 3 eur".
get h100 eu on monday | ! I can't read the time "on monday".
get h100 2.50 max | ! I can't tell what "2.50 max" is. [H100 under $2.50/GPU/h]
hey, 2x a100 40gb in the us under 1.80 each pls | ~ 2x A100 SXM4 40GB US under $1.80/GPU/h
get 8xh100 spot europe 12h under $2.20/gpu/h | = 8x H100 EU spot under $2.20/GPU/h for 12h
need 4090s x2 for tonight | ! Until when? [2x RTX 4090 until tomorrow 8:00 up to 10:00]
get a100 40gb pariss | ! I don't know "pariss". [A100 SXM4 40GB EU]
get h100 eu 6h — resnet sweep | = H100 EU for 6h -- resnet sweep
get h100 eu 6 hous — resnet sweep | ! I can't tell what "6 hous" is. [H100 EU for 6h -- resnet sweep]
get h100, just one, under $3 | ! I can't tell what "one" is. [H100 under $3.00/GPU/h]
get h100 eu $2.5/h max for 8h | = H100 EU under $2.50/GPU/h for 8h
Get Me An H100 In Europe, Please! | ~ H100 EU
get h200 usa until 5:30 p.m. | ~ H200 US until 2026-03-02 17:30
get h100 until 4 mar | ! At what time on 4 mar? [H100 until 4 mar 18:00]
get h100 for half an hour | = H100 for 30m
get l40s cheap & quick | ~ L40S
get me 2 × H100 in 🇪🇺 | ~ 2x H100 EU
get h100 < 2.50 | ~ H100 under $2.50/GPU/h
get h100 eu or so | ~ H100 EU
get h100 price | ! "price" needs a price, such as $3. [H100]
find me a cheap a10 | ~ A10
get h100 tonight | ! Until when? [H100 until tomorrow 8:00 up to 10:00]
get 2x h100 eu overnight | ! Until when? [2x H100 EU until tomorrow 8:00 up to 10:00]
get h100 tonight for 6h | ! "tonight" sounds like a later start. [H100 for 6h]
get h100 until tmrw 8am up to 24h | ~ H100 until 2026-03-03 08:00 up to 24h
get h100 until tomorrow 8am up to 10:00 erope | ! I don't know "erope". [H100 EU until tomorrow 8am up to 10:00]
get h100 until tomorrow 8am up to 24h bleu | ! I don't know "bleu". [H100 until tomorrow 8am up to 24h]
get h100 until 18:00 up to 10h up to 20:00 | ! Type one later end at a time. [H100 until 18:00 up to 10h] [H100 until 18:00 up to 20:00]
get h100 until 18:00 up to tomorrow | ! At what time tomorrow? [H100 until 18:00 up to tomorrow 18:00]
get h100 eu until done for 2h | ! "for 2h" and "until done" name two ends, and I can't tell which one decides. [H100 EU until done up to 2h] [H100 EU for 2h]
get h100 2h until done up to 6h | ! "for 2h" and "until done" name two ends, and I can't tell which one decides. [H100 until done up to 6h] [H100 for 2h up to 6h]
get h100 until 18:00 until done | ! "until 18:00" and "until done" name two ends, and I can't tell which one decides. [H100 until done up to 18:00] [H100 until 18:00]
get h100 while busy up to 8h until done | ! "while busy" and "until done" name two ends, and I can't tell which one decides. [H100 until done up to 8h] [H100 for 2h up to 8h]
get h100 until done no-probe up to 12h | ! With "no-probe", I can't see when a job is done. [H100 until done up to 12h] [H100 no-probe for 12h]
get h100 until done no-probe | ! With "no-probe", I can't see when a job is done. [H100 until done] [H100 no-probe]
get h100 until done up to 12h erope | ! I don't know "erope". [H100 EU until done up to 12h]
get h100 until done up to 20:00 erope | ! I don't know "erope". [H100 EU until done up to 20:00]
get h100 until done erope | ! I don't know "erope". [H100 EU until done]
get h100 until done up to tomorrow | ! At what time tomorrow? [H100 until done up to tomorrow 18:00]
get h100 until we're done | ! The machine ends when its GPUs stop. By when at the latest? [H100 for 2h up to 12h]
get h100 while busy until 18:00 | ! The machine ends when its GPUs stop. By when at the latest? [H100 until 18:00 up to 8h]
get h100 up to 20:00 | ! Until when does the machine run at least? [H100 until 20:00]
get h100 until 9 erope | ! I don't know "erope".
get h100 for 6h up to 12h erope | ! I don't know "erope". [H100 EU for 6h up to 12h]
get h100 while busy up to 12h erope | ! I don't know "erope". [H100 EU for 2h up to 12h]
get h100 $5000 in all for 1h erope | ! I don't know "erope".
"""

TYPED = [
    (line.partition(" | ")[0], *line.partition(" | ")[2].replace("]", "").split(" ["))
    for line in AS_TYPED.strip().splitlines()
]
"""The typed text, its meaning, and the suggested lines."""
