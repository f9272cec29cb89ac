"""Takes pictures of harness scenes: `python shoot.py OUT_DIR scene[:theme[:lang[:width]]] ...`."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PAGE = Path(__file__).parent / "out" / "index.html"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def main(out: Path, scenes: list[str]) -> None:
    """Opens each scene and keeps its picture; what the page logs goes to the terminal."""
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for scene in scenes:
            name, theme, lang, width = (scene.split(":") + ["", "", ""])[:4]
            page = browser.new_page(viewport={"width": int(width or 1280), "height": 400})
            page.on("console", lambda message: print("console:", message.text))
            page.on("pageerror", lambda error: print("error:", error))
            page.goto(f"{PAGE.as_uri()}?scene={name}&theme={theme or 'light'}&lang={lang or 'en'}")
            page.wait_for_timeout(350)
            page.screenshot(path=out / f"{scene.replace(':', '-')}.png", full_page=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
