"""How fast gpubot is and how much memory it takes: the real bot against the sandbox, compared with a baseline."""
