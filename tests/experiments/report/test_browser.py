"""The page in a real browser: nothing is fetched or refused, nothing overflows, light, dark and on paper."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from sdt.experiments.report.build import build, write
from sdt.experiments.report.render import POLICY
from sdt.experiments.report.study import Study

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)
pytestmark = [
    pytest.mark.xdist_group("report"),
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason=f"needs a browser: one of {', '.join(NAMES)} on the path"),
]

# Looks into the page from outside: the page itself runs no script.
LOOK = """<!DOCTYPE html><body style="margin:0">
<iframe id="f" src="{page}" style="border:0;width:{width}px;height:900px"></iframe><script>
document.getElementById("f").onload = event => {{
  const page = event.target.contentDocument, window_ = event.target.contentWindow, root = page.documentElement;
  const colour = (element, what) => window_.getComputedStyle(element)[what];
  const tall = [...page.querySelectorAll("svg")].map(svg => svg.getBoundingClientRect());
  const text = page.querySelector("svg text"), line = page.querySelector("svg path[style*='series-1']");
  const found = {{
    width: root.clientWidth, needed: root.scrollWidth,
    requests: window_.performance.getEntriesByType("resource").map(entry => entry.name),
    ground: colour(page.body, "backgroundColor"), ink: colour(page.body, "color"),
    text: colour(text, "fill"), line: colour(line, "stroke"),
    pictures: tall.map(box => [box.width, box.height]),
    digits: colour(page.querySelector("td.number"), "fontVariantNumeric"),
    headings: [...page.querySelectorAll("h1,h2,h3")].map(heading => heading.textContent),
  }};
  document.body.textContent = "FOUND" + JSON.stringify(found) + "END";
}};
</script></body>"""


def browse(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert BROWSER
    always = (
        "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync "
        "--disable-component-update --enable-logging=stderr --host-resolver-rules=MAP\t*\t~NOTFOUND"
    )
    command = [BROWSER, *(part.replace("\t", " ") for part in always.split(" ")), f"--user-data-dir={folder}/profile"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120, check=True)


def said(of: subprocess.CompletedProcess[str]) -> list[str]:
    """What the page's console says: errors, and what the Content-Security-Policy refused."""
    return [line for line in of.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def page(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    write(build(study, "sdt report parts --output " + "a-folder-with-a-long-name/" * 12), folder / "report")
    return folder / "report" / "report.html"


@pytest.fixture(scope="module")
def look(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("look")

    @functools.cache
    def looked(width: int, scheme: int) -> dict[str, Any]:
        (folder / "look.html").write_text(LOOK.format(page=page.as_uri(), width=width), encoding="utf-8")
        done = browse(
            folder,
            "--allow-file-access-from-files",
            "--disable-web-security",
            f"--blink-settings=preferredColorScheme={scheme}",
            f"--window-size={max(width, 500)},1000",
            "--virtual-time-budget=5000",
            "--dump-dom",
            (folder / "look.html").as_uri(),
        )
        assert said(done) == []
        match = re.search("FOUND(.*)END", done.stdout, re.DOTALL)
        assert match, done.stderr
        found: dict[str, Any] = json.loads(match[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
        return found

    return looked


DARK, LIGHT = 0, 1


def brightness(colour: str) -> float:
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


def test_it_opens_without_a_word_and_without_a_request(page: Path, look: Any, tmp_path: Path) -> None:
    done = browse(tmp_path, "--dump-dom", page.as_uri())
    assert said(done) == []
    assert "Does the voice suffice?" in done.stdout
    found = look(1200, LIGHT)
    assert found["requests"] == []
    assert found["headings"][:2] == ["Does the voice suffice?", "Summary"]


def test_the_policy_would_refuse_what_is_fetched(page: Path, tmp_path: Path) -> None:
    """Otherwise the silence above would say nothing."""
    text = page.read_text(encoding="utf-8")
    assert POLICY in unescape(text)
    for extra in ('<img src="https://example.org/a.png">', "<script>document.title = 1</script>"):
        (tmp_path / "bad.html").write_text(text.replace("</main>", f"{extra}</main>"), encoding="utf-8")
        refused = said(browse(tmp_path, "--dump-dom", (tmp_path / "bad.html").as_uri()))
        assert any("Content Security Policy" in line for line in refused)


@pytest.mark.parametrize("width", [320, 390, 768, 1200])
def test_nothing_is_wider_than_the_screen(width: int, look: Any) -> None:
    found = look(width, LIGHT)
    assert found["width"] <= width
    assert found["needed"] == found["width"]
    assert all(w > 250 and h > 60 for w, h in found["pictures"])
    assert "tabular-nums" in found["digits"]


def test_light_and_dark(look: Any) -> None:
    light, dark = look(1200, LIGHT), look(1200, DARK)
    assert brightness(light["ground"]) > 240
    assert brightness(dark["ground"]) < 40
    for found in (light, dark):  # words and figures stand out from the ground
        for what in ("ink", "text", "line"):
            assert abs(brightness(found[what]) - brightness(found["ground"])) > 90, what
    assert light["line"] != dark["line"]


def test_it_prints(page: Path, tmp_path: Path) -> None:
    browse(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={tmp_path}/out.pdf", page.as_uri())
    printed = (tmp_path / "out.pdf").read_bytes()
    assert printed.startswith(b"%PDF")
    assert 5 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 25


def test_a_picture_of_it(page: Path, tmp_path: Path) -> None:
    from matplotlib.image import imread

    browse(tmp_path, "--window-size=1100,1400", f"--screenshot={tmp_path}/shot.png", page.as_uri())
    shot = imread(tmp_path / "shot.png")
    assert shot.shape[:2] == (1400, 1100)
    assert 0.02 < (shot[..., :3].mean(axis=2) < 0.6).mean() < 0.4  # there is writing on it, and room around it
