"""Everything that runs for as long as the process does.

This includes the loops over due rows, the probe runs, the deletion of overdue machines, the self-check and the
scheduled jobs.
"""
