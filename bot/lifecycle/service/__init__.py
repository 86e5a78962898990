"""What people can ask. Every function is one short transaction that checks, at that moment, whether they may.

quoting   ask for offers, set a key
renting   rent an offer, change what waits
deciding  approve, deny, accept, withdraw
leasing   keep, extend
ending    destroy, take an alarm on
account   pause and resume buying
choosing  what is looked at before deciding: offers, what waits, what would be destroyed
looking   what lists and messages show
"""
