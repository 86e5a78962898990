"""The Compute Clear API, with vendors that behave and vendors that don't."""

from sandbox.compute.app import DEFAULT_TOKEN, ComputeSandbox

__all__ = ["DEFAULT_TOKEN", "ComputeSandbox"]
