"""The documentation site: it builds without a warning, no link is broken, and nothing is loaded from other hosts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import sdt
from sdt.cli import COMMANDS
from sdt.training.schema import settings
from tests.shared import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("mkdocs") is None and "CI" not in os.environ, reason="needs the extra docs: pip install -e '.[docs]'"
    ),
]
LOADED = {
    "script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src",
    "embed": "src", "object": "data", "use": "href", "image": "href",
}  # fmt: skip
"""Elements whose addresses a browser requests by itself."""


@dataclass
class Page(HTMLParser):
    """The addresses and the anchors of an HTML file."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        self.styles.append(values.get("style", ""))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if (address := values.get(LOADED.get(tag, ""))) is not None:
            self.loaded.append(address)
        self.loaded += [entry.split()[0] for entry in values.get("srcset", "").split(",") if entry]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it, in another folder."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    found = {}
    for path in sorted(site.rglob("*.html")):
        found[path] = Page()
        found[path].feed(path.read_text(encoding="utf-8"))
    assert len(found) > 30
    return found


def test_every_link_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    broken = []
    for path, page in pages.items():
        if path.name == "404.html":  # its addresses begin at the root of a server
            continue
        for link in (*page.links, *page.loaded):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target == site.resolve():
                target = site / "index.html"
            anchors = pages[target].anchors if target in pages else set()
            if not target.is_file() or (parts.fragment and unquote(parts.fragment) not in anchors):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert not broken


def test_nothing_is_loaded_from_other_hosts(site: Path, pages: dict[Path, Page]) -> None:
    loaded = [address for page in pages.values() for address in page.loaded]
    assert not [address for address in loaded if urlsplit(address).netloc]
    styles = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    styles += [style for page in pages.values() for style in page.styles]
    addresses = [a for css in styles for a in re.findall(r"(?:@import\s+|url\(\s*)[\"']?([^\"')\s]+)", css)]
    assert not [address for address in addresses if urlsplit(address).netloc]


def test_the_search_works_in_files(site: Path) -> None:
    assert "test-selection gain" in (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert 'src="assets/iframe-worker.js"' in (site / "index.html").read_text(encoding="utf-8")


def test_the_reference_is_complete(site: Path, pages: dict[Path, Page]) -> None:
    commands, configuration, api = (
        pages[site / "reference" / f"{name}.html"] for name in ("command-line", "configuration", "api")
    )
    assert {f"sdt-{name.replace(' ', '-')}" for name in COMMANDS} <= commands.anchors
    assert {"--engine {auto,onnxruntime,torch}", "--output FILE", "--window N"} <= set(commands.text)
    assert set(settings()) | {"bc_lstm.width"} <= set(configuration.text)
    names = {name for name in sdt.__all__ if not name.startswith("__")}
    shown = {anchor.rpartition(".")[2] for anchor in api.anchors}
    assert names <= shown
