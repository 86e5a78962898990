"""The soak: random users, kills and faults for the real process, all drawn from a seed. See docs/soak.md."""
