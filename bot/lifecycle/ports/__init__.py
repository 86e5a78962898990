"""What the lifecycle needs from outside, as protocols. bot/app.py passes the implementations in."""
