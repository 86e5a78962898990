"""One module for each state: what the bot does next for a rental in it. dispatch.py runs a step and saves the
result.
"""
