"""Everything that people can do and look at.

Every function that a command or a click leads to takes the person, and checks at that moment whether they may. It
raises the errors of bot/errors.py, which have words for people.

quoting           ask for offers
keys              look at one's SSH keys, add and remove them
github_keys       take one's SSH keys from GitHub
clicked_offer     the offer that was clicked before there was a key
sharing           let teammates into a rental
giving            ask for an idle machine of somebody else, give one to somebody, take it
renting           rent an offer, change a request that waits
replacing         rent another machine in the place of one that was lost or doesn't work
waiting           wait for an offer or a start time, and stop waiting
deciding          approve, deny, accept, withdraw
away              an approver says that they are away, or back
leasing           keep, extend, and what else owners say and approvers decide about a machine that is in use
ending            destroy, take on an alarm
account           pause and resume buying
policy            show the team's rules, and read them again from their file
admin_questions   what admins decide about machines that the bot doesn't know, and about owners who left
ownership         an admin gives a rental another owner
prices            what a choice in the form costs
previews          what people see before they decide: offers, requests that wait, the facts of confirmation dialogs
own_rentals       which rental a command without an id means
queries           lists, `/gpu show` and the rentals in messages
home              what a person's Home tab shows
spend             what was spent
month_files       the file of a month's charges, with what the person may read
readable_use      what people may read of a machine's use
"""
