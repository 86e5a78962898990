"""The steps: for each state of a rental, one module decides and does what comes next.

dispatch.py runs a step and saves its result.
"""
