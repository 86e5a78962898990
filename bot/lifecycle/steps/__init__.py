"""The steps: the code that advances a rental, depending on the rental's state.

dispatch.py runs a step and saves its result.
"""
