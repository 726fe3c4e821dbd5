"""The pictures of the page in the documentation: the built-in example, with the bundled model.

    python -m tests.serving.page.screenshots docs

writes page.png (one utterance is confirmed, another corrected) and page-phone.png (dark, narrow).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from sdt.models.hub import DEFAULT
from tests.serving.page.browser import Tab, browser
from tests.serving.page.doing import example
from tests.serving.running import running

TOP = "scrollTo({top: 0, behavior: 'instant'}); new Promise((drawn) => setTimeout(drawn, 300))"


def take(tab: Tab, url: str, folder: Path) -> None:
    """Take the pictures."""
    tab.screen(1200, 880)
    tab.open(url)
    example(tab)
    tab.click("[data-place='1'].utterance")
    tab.press("4", "ArrowRight", "c")
    tab.evaluate(TOP)
    tab.screenshot(folder / "page.png")
    tab.screen(390, 760, dark=True)
    tab.open(url)
    example(tab)
    tab.evaluate(TOP)
    tab.screenshot(folder / "page-phone.png")


def main() -> None:
    """Start a service and a browser for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pictures are written")
    folder = parser.parse_args().folder
    with (
        TemporaryDirectory() as aside,
        running(DEFAULT, Path(aside) / "temporary") as service,
        browser(Path(aside) / "profile") as tab,
    ):
        take(tab, f"http://127.0.0.1:{service.port}/", folder)


if __name__ == "__main__":
    main()
