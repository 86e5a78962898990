"""Sentences as colleagues type them, each followed by `|` and the command that it must mean.

A request is written in the format of `request_text`, with `buy` in front of it if it is rented immediately. `keep`
asks before the rental is extended, and `about time` stands for a sentence about the remaining time. The person is
in London, it is Monday 2026-03-02, 12:00, and the team has a setup script `pytorch`.
"""

from __future__ import annotations

_REQUESTS = """
h100 please | get H100
can I get an H100? | get H100
could someone get me an a100 for 3 hours | get A100 for 3h
I need 2 h100s | get 2x H100
we need eight H100s in Europe until tomorrow 9am | get 8x H100 EU until 2026-03-03 09:00
I'd like a 4090 pls | get RTX 4090
I’d like an H200 for 6 hours, thanks! | get H200 for 6h
hi! can you give me one A100 80GB for 2 hours? | get A100 80GB for 2h
we'd need 4 a100 for 6h | get 4x A100 for 6h
please rent a h100 for me | get H100
h 100 | get H100
2 x h 100 for 5h | get 2x H100 for 5h
two H100s for two hours | get 2x H100 for 2h
a pair of a100s | get 2x A100
a couple of h100 for 90 minutes | get 2x H100 for 1h30m
dual 4090 | get 2x RTX 4090
sixteen h100 for an hour | get 16x H100 for 1h
h100 for half an hour | get H100 for 30m
h100 for an hour and a half | get H100 for 1h30m
h100 1,5 Std | get H100 for 1h30m
h100 für 3 Stunden | get H100 for 3h
h100 bis 18 Uhr | get H100 until 2026-03-02 18:00
h100 bis morgen 9 Uhr | get H100 until 2026-03-03 09:00
eine h100 bitte | get H100
2 h100 jusqu'à 18h | get 2x H100 until 2026-03-02 18:00
h100 pendant 2 heures | get H100 for 2h
h100 until 18h30 | get H100 until 2026-03-02 18:30
h100 until 18.30 | get H100 until 2026-03-02 18:30
h100 until 1830 | get H100 until 2026-03-02 18:30
h100 🇪🇺 | get H100 EU
h100 🇩🇪 2h | get H100 EU for 2h
h100 :flag-fr: | get H100 EU
h100 :flag-us: for 2h | get H100 US for 2h
H100 in Germany | get H100 EU
h100 in the US | get H100 US
give us 4 h100 for 3h | get 4x H100 for 3h
can you get us two h100 | get 2x H100
the other h100 was great, one more please | get H100
~8~ 4 H100 | get 4x H100
~a100~ h100 for 2h | get H100 for 2h
*8x H100* for 2h | get 8x H100 for 2h
`h100 2h` | get H100 for 2h
“h100” 2h | get H100 for 2h
h100 — run 7 | get H100 -- run 7
h100 2h (run 7) | get H100 for 2h -- run 7
h100 2h "run 7" | get H100 for 2h -- run 7
h100 2h “run 7” | get H100 for 2h -- run 7
h100 [exp 12] 3h | get H100 for 3h -- exp 12
h100 3h — eval of the 70B model | get H100 for 3h -- eval of the 70B model
h100 till 6 tonight | get H100 until 2026-03-02 18:00
h100 from 9 to 6 tomorrow | get H100 at 2026-03-03 09:00 for 9h
h100 9 to 6 tomorrow | get H100 at 2026-03-03 09:00 for 9h
h100 tomorrow 9am | get H100 at 2026-03-03 09:00
h100 tomorrow from 9am until 5pm | get H100 at 2026-03-03 09:00 for 8h
h100 starting at 10pm for 5 hours | get H100 at 2026-03-02 22:00 for 5h
h100 tomorrow at 9 for 3h | get H100 at 2026-03-03 09:00 for 3h
h100 at 6pm | get H100 at 2026-03-02 18:00
h100 for 2h starting in 30 minutes | get H100 at 2026-03-02 12:30 for 2h
h100 overnight | get H100 until 2026-03-03 08:00 up to 22h
h100 until my job finishes | get H100 for 2h up to 12h
h100 until training is done | get H100 for 2h up to 12h
h100 until I'm done | get H100 for 2h up to 12h
h100 until 6pm UTC | get H100 until 2026-03-02 18:00
h100 until 6pm EST | get H100 until 2026-03-02 23:00
h100 until 17:00 CET | get H100 until 2026-03-02 16:00
h100 for the weekend | form
h100 until Wednesday | get H100 until 2026-03-04 18:00
h100 until end of day | get H100 until 2026-03-02 18:00
h100 till midnight | get H100 until 2026-03-03 00:00
h100 for 2 days | get H100 for 48h
h100 under $2.50 | get H100 under $2.50/GPU/h
h100 max 2.50 per hour | get H100 under $2.50/GPU/h
h100 less than 3 bucks an hour | get H100 under $3.00/GPU/h
h100 no more than $2 per hour for 5 hours | get H100 under $2.00/GPU/h for 5h
4 h100 under $10/h | get 4x H100 under $10.00/h
2 h100 at $4 each | get 2x H100 under $4.00/GPU/h
8 h100 max $16 an hour in total | get 8x H100 under $2.00/h
cheapest h100 | get H100
what's the cheapest h100 right now? | get H100
how much is an h100? | get H100
how much does an h200 cost in europe | get H200 EU
price of 8 h100? | get 8x H100
any h100s available? | get H100
are there any H200 free | get H200
got any b200s? | get B200
which GPUs do you have? | catalog
what can I rent? | catalog
h100 or h200 | get H100
h100 sxm in frankfurt | get H100 SXM5 80GB EU
h100 from lambda | get H100 vendor Lambda Labs
h100 from hyper stack for 2h | get H100 vendor hyperstack for 2h
h100 at nebius under $3 | get H100 under $3.00/GPU/h vendor nebius
h100 with pytorch | get H100 setup pytorch
tell me when an h100 is free | wait H100
wait for an h100 | wait H100
notify me when there's an H200 in Europe | wait H200 EU
let me know when 8 h100 are available | wait 8x H100
get h100 eu now — under $2/h | get H100 EU -- under $2/h
get 1 h100 now - only if under $2 | get H100 under $2.00/GPU/h
get h100 now (8 a100 if there are none) | get H100 -- 8 a100 if there are none
get h100 now -- for 2 hours | get H100 -- for 2 hours
get h100 now — run 7 | buy H100 -- run 7
get h100 now, please | get H100
get h100 9 to 6 tomorrow now | get H100 at 2026-03-03 09:00 for 9h
same again please | again
same machine as yesterday | again
I want to train a model | form
need gpu asap | form
another h100 for 2h | get H100 for 2h
h100, 2 hours, europe | get H100 EU for 2h
h100 2h no rush | get H100 for 2h
1 node with 8 h100 | get 8x H100
4xH100 for the night | get 4x H100 until 2026-03-03 08:00 up to 22h
h100, just one, under $3 | get H100 under $3.00/GPU/h
h1000 | form
"""
_RENTALS = """
can you keep it until 6am | keep until 2026-03-03 06:00
keep it till tomorrow 9am please | keep until 2026-03-03 09:00
can I have it 2 more hours? | keep 2h
2 more hours please | keep 2h
I need 3 more hours | keep 3h
extend by 2h | extend 2h
extend it | extend
can you extend this to 18:00? | keep until 2026-03-02 18:00
please extend until 6 tonight | keep until 2026-03-02 18:00
+2h | keep 2h
one more hour | keep 1h
half an hour more | keep 30m
need it longer | extend
extend my h100 by 2 hours | keep 2h
please don't kill it | extend
how long do I have left? | about time
when does it end? | about time
how much time is left | about time
when will my h100 be shut down? | about time
is anybody using this? | about who
is it idle? | about who
kill it | destroy
please shut it down | destroy
I'm done | destroy
done, thanks! | destroy
stop | destroy
stop everything | destroy
terminate this please | destroy
you can delete it now | destroy
we don't need it anymore | destroy
kill my machine | destroy
it's broken | about broken
the gpu is not working | about broken
my h100 is broken | about broken
nvidia-smi shows an error | about broken
it crashed | about broken
I can't ssh into it | ssh
ssh doesn't work | ssh
connection refused | ssh
how do I log in? | ssh
what's the IP? | ssh
how much is this costing us? | about money
how much did this cost so far | about money
what am I paying right now? | about money
who is using it? | about who
whose is this? | about who
can bob use it too? | share
give it to my colleague | give
is it ready yet? | show
what happened to it? | show
it's too slow | about faster
can I get a bigger one | about faster
get me another one like this | again
restart it | about broken
who approved this? | show
"""
_TEAM = """
who has the H200s? | about who
is anybody using the h100? | about who
who is using gpus right now | about who
which machines are running | about who
what's running? | list
what do I have | list
status | list
what's the status of my request? | list
how much did we spend | about money
how much did I spend this month? | about money
what did we spend in November | about money
what's our budget | about money
how much money is left | about money
why is it so expensive | about money
is anything free right now? | about free
anything idle I could take over? | about free
do we have free gpus | about free
what are the rules | policy
who approves? | policy
am I allowed to rent 8 h100? | policy
add my ssh key | key
where do I put my public key | key
what can you do? | help
help me please | help
hello | help
thanks! | help
how does this work? | help
cancel my request | destroy
stop waiting | list
what am I waiting for? | list
"""


def _rows(table: str) -> list[tuple[str, str]]:
    rows = (line.split(" | ") for line in table.strip().splitlines())
    return [(sentence.strip(), meaning.strip()) for sentence, meaning in rows]


REQUESTS, ABOUT_RENTALS, ABOUT_THE_TEAM = map(_rows, (_REQUESTS, _RENTALS, _TEAM))
SENTENCES = [*REQUESTS, *ABOUT_RENTALS, *ABOUT_THE_TEAM]
