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
"""The scopes for each event. An app needs at least one of them to get the event.

Source: https://docs.slack.dev/reference/events.
"""
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
    """The settings of the installed app, such as its scopes, subscriptions and commands."""

    name: str = "gpubot"
    scopes: tuple[str, ...] = SCOPES
    events: tuple[str, ...] = EVENTS
    commands: Mapping[str, bool] | None = None
    """The app's commands, each with its setting `should_escape`.

    None means that the app has every command, and that Slack escapes the text of each.
    """
    home_tab: bool = True
    messages_tab: bool = True
    socket_mode: bool = True
    interactivity: bool = True
    request_urls: Mapping[str, str] = field(default_factory=dict)
    """The request URLs, by kind: `slash_commands`, `interactive` and `events_api`. Empty in Socket Mode."""

    def has_command(self, command: str) -> bool:
        """Return whether the app has this slash command."""
        return "commands" in self.scopes and (self.commands is None or command in self.commands)

    def receives(self, event: str) -> bool:
        """Return whether the app is subscribed to the event and has a scope for it."""
        needed = EVENT_SCOPES.get(event, ())
        return event in self.events and (not needed or any(scope in self.scopes for scope in needed))

    def escapes(self, command: str) -> bool:
        """Return whether Slack escapes the text of this command."""
        return self.commands is None or self.commands[command]


def from_manifest(manifest: Mapping[str, Any]) -> AppConfig:
    """Return the settings in a manifest (parsed YAML or JSON).

    Raises ValueError if the manifest doesn't follow Slack's schema.
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
    """Return the request URLs of an app in HTTP mode. Raise ValueError if one is missing or isn't https."""
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
