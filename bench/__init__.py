"""Measures the speed and the memory of the real bot in the sandbox, and compares them with simpler programs."""
