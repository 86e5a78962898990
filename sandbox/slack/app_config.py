"""The installed app, as its manifest describes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

SCOPES = (
    "commands",
    "chat:write",
    "channels:read",
    "groups:read",
    "channels:history",
    "groups:history",
    "im:write",
    "im:history",
    "users:read",
    "usergroups:read",
    "app_mentions:read",
    "files:write",
)
EVENT_SCOPES: Mapping[str, tuple[str, ...]] = {
    "app_mention": ("app_mentions:read",),
    "file_shared": ("files:read",),
    "member_joined_channel": ("channels:read", "groups:read"),
    "member_left_channel": ("channels:read", "groups:read"),
    "message.channels": ("channels:history",),
    "message.groups": ("groups:history",),
    "message.im": ("im:history",),
    "subteam_members_changed": ("usergroups:read",),
    "user_change": ("users:read",),
}
"""One of these is needed for the event to be sent (docs.slack.dev/reference/events)."""
EVENTS = (
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "message.im",
    "subteam_members_changed",
    "user_change",
)


@dataclass(frozen=True)
class AppConfig:
    """Scopes, subscriptions and commands of the installed app."""

    name: str = "gpubot"
    scopes: tuple[str, ...] = SCOPES
    events: tuple[str, ...] = EVENTS
    commands: Mapping[str, bool] | None = None
    """The app's commands, and whether each has `should_escape`. None: every command is the app's, and is
    escaped."""
    home_tab: bool = True
    messages_tab: bool = True
    socket_mode: bool = True
    interactivity: bool = True
    request_urls: Mapping[str, str] = field(default_factory=dict)
    """Where requests are sent, by the kind of what is sent. Empty with Socket Mode."""

    def has_command(self, command: str) -> bool:
        """Return whether people can type this command."""
        return "commands" in self.scopes and (self.commands is None or command in self.commands)

    def receives(self, event: str) -> bool:
        """Return whether the app is subscribed to the event and has a scope for it."""
        needed = EVENT_SCOPES.get(event, ())
        return event in self.events and (not needed or any(scope in self.scopes for scope in needed))

    def escapes(self, command: str) -> bool:
        """Return whether Slack escapes the text of this command."""
        return self.commands is None or self.commands[command]


def from_manifest(manifest: Mapping[str, Any]) -> AppConfig:
    """Return the app that a manifest (parsed YAML or JSON) describes.

    Raise ValueError if the manifest does not have the shape of Slack's schema.
    """
    try:
        features = manifest.get("features", {})
        home = features.get("app_home", {})
        settings = manifest.get("settings", {})
        display = manifest.get("display_information", {})
        socket_mode = bool(settings.get("socket_mode_enabled", False))
        return AppConfig(
            name=features.get("bot_user", {}).get("display_name") or display.get("name") or "app",
            scopes=tuple(manifest.get("oauth_config", {}).get("scopes", {}).get("bot", [])),
            events=tuple(settings.get("event_subscriptions", {}).get("bot_events", [])),
            commands={
                entry["command"]: bool(entry.get("should_escape", False))
                for entry in features.get("slash_commands", [])
            },
            home_tab=bool(home.get("home_tab_enabled", False)),
            messages_tab=bool(home.get("messages_tab_enabled", False))
            and not home.get("messages_tab_read_only_enabled", False),
            socket_mode=socket_mode,
            interactivity=bool(settings.get("interactivity", {}).get("is_enabled", False)),
            request_urls={} if socket_mode else _request_urls(features, settings),
        )
    except (AttributeError, KeyError, TypeError) as wrong:
        raise ValueError("not shaped as a manifest is") from wrong


def _request_urls(features: Mapping[str, Any], settings: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the request URLs of an app without Socket Mode. Raise ValueError if one is missing or isn't https."""
    interactivity, events = settings.get("interactivity", {}), settings.get("event_subscriptions", {})
    needed: dict[str, Any] = {}
    if features.get("slash_commands"):
        needed["slash_commands"] = features["slash_commands"][0].get("url")
    if interactivity.get("is_enabled"):
        needed["interactive"] = interactivity.get("request_url")
    if events.get("bot_events"):
        needed["events_api"] = events.get("request_url")
    for kind, url in needed.items():
        if not isinstance(url, str) or urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
            raise ValueError(f"without Socket Mode, {kind} needs a request URL that begins with https://")
    return needed
