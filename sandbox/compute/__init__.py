"""The Compute Clear API, a market for GPU machines, with vendors that can be made to misbehave."""

from sandbox.compute.app import DEFAULT_TOKEN, ComputeSandbox

__all__ = ["DEFAULT_TOKEN", "ComputeSandbox"]
