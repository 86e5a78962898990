"""What people can ask for and look at.

Every function takes the person and checks, at that moment, whether they may.

quoting   ask for offers, set a key
renting   rent an offer, change a request that waits
deciding  approve, deny, accept, withdraw
leasing   keep, extend
ending    destroy, take on an alarm
account   pause and resume buying
previews  what people look at before they decide: offers, requests that wait, what a dialog confirms
queries   what lists, `/gpu show` and messages show
"""
