"""Reads only the ids and statuses of an offer's resources.

Deleting needs nothing else, so an answer that is unusable in any other field must not stop it.
"""

from __future__ import annotations

from bot.market import fields


def resource_ids(body: object, offer_id: str) -> dict[str, str]:
    """Return the status of each resource by its id.

    Leave out an entry that names only other offers, because the API may have ignored the filter. Leave out an
    entry without a usable id, too.
    """
    listed = body if isinstance(body, list) else fields.field(body, "resources") or fields.field(body, "items")
    statuses = {}
    for entry in fields.entries(listed):
        resource_id = fields.ident(entry.get("resource_id"))
        history = (fields.ident(past.get("offer_id")) for past in fields.entries(entry.get("offer_history")))
        offers = {known.casefold() for known in history if known is not None}
        if resource_id is not None and (not offers or offer_id.casefold() in offers):
            statuses[resource_id] = fields.word(entry.get("status")) or "unknown"
    return statuses
