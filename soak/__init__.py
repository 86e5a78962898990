"""The soak: people, kills and faults at random, from a seed, against the real process. docs/soak.md tells more."""
