"""The soak: the real process with random users, kills and faults, all drawn from a seed. See docs/soak.md."""
