"""The sandbox's page: the Slack workspace in a browser, and a panel that controls time, vendors and machines.

server   serves the page, and the control calls of all servers under one origin
live     sends the current state of the workspace and the panel to browsers
shown    prepares messages and views for display
bot      stores information about the bot, and advances the clock in step with the bot's work
page/    the page itself: HTML, CSS and JavaScript modules without a build step
"""

from sandbox.web.server import Page

__all__ = ["Page"]
