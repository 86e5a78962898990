"""Draws the app's icon for its settings in Slack: `python -m tests.by_hand.icon`, or `make icon`.

Writes deploy/icon-512.png and deploy/icon-1024.png, based on the icon of the sandbox's page. The icons are full
squares, because Slack rounds the corners itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.programs import find

ROOT = Path(__file__).parents[2]
ICON = ROOT / "sandbox" / "web" / "page" / "icon.svg"
SIZES = (512, 1024)
STYLE = "body { margin: 0 } svg { display: block; width: 100vw; height: 100vh }"
CORNERS = ' rx="14"'


def main() -> None:
    """Write the icons. Exit with status 1 if Chromium is missing."""
    chromium = find("chromium")
    if chromium is None:
        raise SystemExit("The icon needs Chromium: apt-get install chromium")
    drawing = ICON.read_text().replace(CORNERS, "", 1)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        for size in SIZES:
            page = browser.new_page(viewport={"width": size, "height": size})
            page.set_content(f"<style>{STYLE}</style>{drawing}")
            page.screenshot(path=ROOT / "deploy" / f"icon-{size}.png")
            sys.stdout.write(f"deploy/icon-{size}.png\n")
        browser.close()


if __name__ == "__main__":
    main()
