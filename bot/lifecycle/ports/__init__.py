"""Protocols of everything outside the lifecycle that it needs. bot/app.py passes the implementations in."""
