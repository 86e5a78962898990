"""Programs that take too long, or use too much of the network, to be part of every test run."""
