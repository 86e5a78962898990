"""Simulates weeks in which people use, forget and destroy machines. See docs/idling.md."""
