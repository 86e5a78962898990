"""Plays that take too long, or need too much of the network, for each run of the tests."""
