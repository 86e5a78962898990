"""A simulated Slack workspace, with the Web API, Socket Mode, HTTP mode and people. See docs/sandbox.md."""

from sandbox.slack.app_config import AppConfig, from_manifest
from sandbox.slack.server import SlackSandbox
from sandbox.slack.timing import Timing

__all__ = ["AppConfig", "SlackSandbox", "Timing", "from_manifest"]
