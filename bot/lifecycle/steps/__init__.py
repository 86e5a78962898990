"""What happens next in each state. A step asks the outside and answers what is then true; run.py writes it."""
