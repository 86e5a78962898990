"""Everything that runs until the process ends: due rows and visits, overdue deletion, self-check, jobs."""
