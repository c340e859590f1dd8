"""Draw docs/page.png: the page of `seqvae app` with the drums that come along. Needs Playwright and a Chromium.

pip install playwright
python scripts/page_picture.py --chromium /usr/bin/chromium
"""

import subprocess
import sys
from pathlib import Path

import click

PLACE = Path(__file__).resolve().parent.parent / "docs" / "page.png"
SIZE = {"width": 1120, "height": 760}


@click.command()
@click.option("--chromium", metavar="FILE", help="The browser; by default the one that Playwright installed.")
@click.option("--model", default="grooves", show_default=True, help="The tab that is drawn.")
def main(chromium: str | None, model: str) -> None:
    """Start the page, open the tab, and keep a picture of it."""
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "seqvae", "app", "--no-browser", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[0]
        with sync_playwright() as engine:
            browser = engine.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport=SIZE, color_scheme="light")
            page.goto(f"{address}#model={model}")
            page.wait_for_load_state("networkidle")
            page.screenshot(path=PLACE, full_page=True)
            browser.close()
    finally:
        server.terminate()
    click.echo(f"written to {PLACE}")


if __name__ == "__main__":
    main()
