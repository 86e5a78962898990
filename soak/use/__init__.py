"""A week or a month of people who use, forget and destroy machines, on a moved clock: see docs/idling.md."""
