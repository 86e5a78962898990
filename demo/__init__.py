"""`gpubot demo` and `gpubot sandbox`: run the real bot and the sandbox, each as a process of its own.

- processes: starts and stops both processes
- play: lets people act, and lets time pass only when the bot is idle
- script: the story of the demo
- console: the commands of `gpubot sandbox`
- dialogs: fills in dialogs in `gpubot sandbox`
- printing: prints messages and actions

Both commands control the sandbox through `sandbox.client`.
"""
