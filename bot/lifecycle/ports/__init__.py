"""What the lifecycle needs from outside, as protocols. bot/app.py puts the implementations together."""
