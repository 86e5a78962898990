"""files.*: uploads and shows files.

Rules: https://docs.slack.dev/reference/methods/files.getUploadURLExternal and the pages of the other methods.
"""

from sandbox.slack.api_chat import thread_of
from sandbox.slack.arguments import ApiError
from sandbox.slack.call import LONGEST_TEXT, Call
from sandbox.slack.files import File
from sandbox.slack.schema import Json

LONGEST_ALT = 1_000
LARGEST = 2**30
"""The maximum size of a file in bytes. Slack accepts up to 1 GB."""


def get_upload_url(call: Call) -> Json:
    """Start an upload, and return the URL to which the bytes have to be sent."""
    name, alt_text = call.args.needed("filename"), call.args.text("alt_txt") or ""
    call.args.needed("length")
    length = call.args.number("length", 0, 1, LARGEST)
    if len(alt_text) > LONGEST_ALT:
        raise ApiError(
            "invalid_arguments", [f"must be less than {LONGEST_ALT + 1} characters [json-pointer:/alt_txt]"]
        )
    url, file = call.files.begin(name, length, alt_text)
    return {"ok": True, "upload_url": url, "file_id": file.id}


def complete_upload(call: Call) -> Json:
    """Complete one or more uploads, and share the files in a channel if one is given."""
    files = _uploaded(call)
    channel, thread_ts = None, None
    if "channel_id" in call.args:
        channel = call.channel("channel_id")
        if not call.workspace.bot_is_in(channel):
            raise ApiError("not_in_channel")
        if channel.archived:
            raise ApiError("is_archived")
        thread_ts = thread_of(call, channel)
    comment = (call.args.text("initial_comment") or "")[:LONGEST_TEXT]
    for file, title in files:
        file.title = title or file.name
    call.files.complete([file for file, _ in files], channel, comment, thread_ts)
    return {"ok": True, "files": [file.as_json() for file, _ in files]}


def _uploaded(call: Call) -> list[tuple[File, str | None]]:
    """Return the requested files with their titles.

    Raises ApiError `file_not_found` if the bytes of a file haven't been received, or its upload is already
    complete.
    """
    named = call.args.parsed("files", "invalid_arguments")
    if not isinstance(named, list) or not named or not all(isinstance(each, dict) for each in named):
        raise ApiError("invalid_arguments", ["must be a list of files with an id [json-pointer:/files]"])
    found: list[tuple[File, str | None]] = []
    for each in named:
        file = call.files.get(each.get("id"))
        if file is None or not file.received or file.completed:
            raise ApiError("file_not_found")
        title = each.get("title")
        found.append((file, title if isinstance(title, str) else None))
    return found


def info(call: Call) -> Json:
    """Return a file whose upload is complete."""
    file = call.files.get(call.args.needed("file"))
    if file is None or not file.completed:
        raise ApiError("file_not_found")
    return {"ok": True, "file": file.as_json(), "comments": [], "response_metadata": {"next_cursor": ""}}
