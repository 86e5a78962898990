"""`gpubot agent`: the command line with which programs rent machines through the bot's REST API (docs/agents.md).

It runs on any machine that reaches the API, and needs an address and a token instead of the bot's settings. Of the
bot's code, it imports only the errors, the models, the clock and the reader of small text files.
"""
