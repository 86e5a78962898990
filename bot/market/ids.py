"""The ids of an offer's resources, read without anything else that an answer says of them."""

from __future__ import annotations

from bot.market import fields


def resource_ids(body: object, offer_id: str) -> dict[str, str]:
    """Return the status of each resource by its id. An entry that names only other offers is left out, because
    the filter may have been ignored; so is one without a usable id."""
    found = body if isinstance(body, list) else fields.field(body, "resources") or fields.field(body, "items")
    statuses = {}
    for entry in fields.entries(found):
        resource_id = fields.ident(entry.get("resource_id"))
        history = (fields.ident(past.get("offer_id")) for past in fields.entries(entry.get("offer_history")))
        offers = {one.casefold() for one in history if one is not None}
        if resource_id is not None and (not offers or offer_id.casefold() in offers):
            statuses[resource_id] = fields.word(entry.get("status")) or "unknown"
    return statuses
