"""The soak: a long test of the real bot with random people, kills and faults, all drawn from a seed.

See docs/soak.md.
"""
