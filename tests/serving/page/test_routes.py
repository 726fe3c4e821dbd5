"""The page's files as they go over the line, and that all of them are shipped."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files

import pytest

from tests.serving.running import Running

pytestmark = pytest.mark.xdist_group("page")


def test_the_page_and_its_files(page_service: Running) -> None:
    kinds = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
    page = files("sdt.serving") / "page"
    names = {file.name for file in page.iterdir() if file.is_file()} | {"vendor/wavesurfer.js", "vendor/regions.js"}
    assert {"index.html", "app.js", "base.css", "icon.svg"} <= names
    for name in sorted(names):
        path = "/" if name == "index.html" else f"/page/{name}"
        answer = page_service.ask("GET", path)
        assert answer.status == 200
        assert answer.headers["content-type"] == kinds.get(name.rpartition(".")[2], "text/html; charset=utf-8")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-cache"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'" in policy
        assert "require-trusted-types-for 'script'; trusted-types default" in policy
        assert "unsafe" not in policy
        assert page_service.ask("HEAD", path).body == b""


def test_what_a_browser_has_is_not_sent_again(page_service: Running) -> None:
    tag = page_service.ask("GET", "/").headers["etag"]
    for sent in (tag, f"W/{tag}", f'"other", {tag}'):
        again = page_service.ask("GET", "/", None, {"if-none-match": sent})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert page_service.ask("GET", "/", None, {"if-none-match": '"other"'}).status == 200


@pytest.mark.parametrize("path", ["/page/", "/page/nothing.js", "/page/../app.py", "/page/%2e%2e/app.py", "/app.js"])
def test_nothing_else_is_served(page_service: Running, path: str) -> None:
    assert page_service.ask("GET", path).status == 404


def test_no_file_asks_for_anything_from_elsewhere() -> None:
    """And nothing makes markup of text, in any browser."""
    for file in (files("sdt.serving") / "page").iterdir():
        if not file.is_file():
            continue
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(
            r"https?://|//cdn|@import|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text
        )
        assert not re.search(r"<script(?! type=\"module\" src=\"page/)|<style|\son\w+=\"|\sstyle=\"", text), file.name
        for used in re.findall(r'(?:from |import\()"\./([\w./]+)"', text):
            assert (files("sdt.serving") / "page" / used).is_file()


def test_what_is_from_elsewhere_is_what_it_is_said_to_be() -> None:
    vendor = files("sdt.serving") / "page" / "vendor"
    readme = (vendor / "README.md").read_text("utf-8")
    told = re.findall(r"^\| `([\w.]+)` \|.*`([0-9a-f]{64})` \|$", readme, re.MULTILINE)
    found = {file.name: file.read_bytes() for file in vendor.iterdir()}
    assert "BSD 3-Clause" in found.pop("LICENSE").decode()
    del found["README.md"]
    assert dict(told) == {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
    for content in found.values():
        content = content.replace(b"http://www.w3.org/", b"")  # names of markup, not addresses
        assert not re.search(rb"https?://\w|eval\(|new Function|importScripts", content)
