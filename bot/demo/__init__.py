"""The demo and `gpubot sandbox`: the real bot against the sandbox, both as processes of their own.

processes   starts and stops them
outside     acts for people, reads what they see, moves the clock
play        one conversation at a time: commands, clicks, and what is waited for
script      what happens in the demo
console     what one can type in `gpubot sandbox`
dialogs     how one fills in dialogs there
printing    how it is shown
"""
