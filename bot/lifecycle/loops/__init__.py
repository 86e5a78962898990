"""Everything that runs for as long as the process does.

Among these are the loops over due rows, the probe runs, the overdue deletion, the self-check and the scheduled
jobs.
"""
