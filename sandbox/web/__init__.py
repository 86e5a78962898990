"""The sandbox's page: a workspace to use in a browser, and a panel that moves time and the outside world.

server   serves the page, and the control calls of every server on one origin
live     what a browser is sent over its WebSocket
shown    messages and views with their blocks, ready to be shown
bot      what the page knows of the bot: its health, its help, its ledger; time passes with it
page/    the page itself: HTML, CSS and JavaScript modules without a build step
"""

from sandbox.web.server import Page

__all__ = ["Page"]
