"""Simulates weeks in which people use, forget and destroy machines, with a clock that jumps. See
docs/idling.md."""
