"""How fast and how lean gpubot is: the real bot against the sandbox, beside a baseline in the same run."""
