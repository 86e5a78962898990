"""Tests of the REST API: a real server on loopback, with the real store and the sandbox's market."""
