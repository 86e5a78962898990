"""`gpubot demo` and `gpubot sandbox`: the real bot against the sandbox, each as a process of its own.

processes   starts and stops both processes
play        people act, and time passes only when the bot has nothing left to do
script      the story of the demo
console     the commands of `gpubot sandbox`
dialogs     fills in modals in `gpubot sandbox`
printing    prints messages and actions

Both drive the sandbox with `sandbox.client`.
"""
