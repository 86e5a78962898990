"""The steps: one module for each state of a rental, which decides and does what comes next in that state.

dispatch.py runs a step and saves its result.
"""
