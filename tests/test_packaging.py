"""The wheel and the source distribution: what they contain, and that they predict in an empty environment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import sdt
from tests.shared import ROOT

needs_tools = pytest.mark.skipif(
    not (find_spec("build") and find_spec("hatchling")) and "CI" not in os.environ, reason="needs build and hatchling"
)
CHAT = "Ann: I got the job!\nBen: Oh no, I hate it, get out of my house!\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both files; the wheel is built from the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    released = re.findall(r"^## \[([\d.]+)\] - ([\d-]+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert project["version"] == sdt.__version__ == citation["version"]
    assert released[0] == (sdt.__version__, citation["date-released"])
    assert citation["license"] == project["license"]


@needs_tools
@pytest.mark.slow
def test_what_they_contain(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"sdt", f"sdt_erc-{sdt.__version__}.dist-info"}
    assert {"sdt/py.typed", "sdt/recipes/puppets.yaml", "sdt/serving/page/index.html"} <= set(names)
    bundled = "src/sdt/models/bundled"
    files = {str(path.relative_to(ROOT / "src")) for path in (ROOT / bundled).rglob("*") if path.is_file()}
    assert {name for name in files if "__pycache__" not in name} <= set(names)
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        tops = {name.split("/")[1] for name in archive.getnames()}
    texts = {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff"}
    assert tops == {"src", "recipes", "pyproject.toml", "PKG-INFO", ".gitignore", *texts}


def required(by: Distribution, seen: set[str]) -> Iterator[Distribution]:
    """What a distribution needs without extras, and what that needs."""
    for text in by.requires or ():
        wanted = Requirement(text)
        key = wanted.name.lower().replace("_", "-")
        if key not in seen and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            seen.add(key)
            yield (found := distribution(wanted.name))
            yield from required(found, seen)


@needs_tools
@pytest.mark.slow
def test_it_predicts_in_an_empty_environment(built: Path, tmp_path: Path) -> None:
    """Nothing but what the wheel requires is installed; it is linked from this environment, which needs no network."""
    (wheel,) = built.glob("*.whl")
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    # Without bytecode: one command uses a quarter of the modules.
    subprocess.run([*pip, "install", "--quiet", "--no-compile", "--no-deps", "--no-index", str(wheel)], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (installed,) = packages.glob("sdt_erc-*.dist-info")
    for found in required(Distribution.at(installed), set()):
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(found.locate_file(top))).resolve())
    subprocess.run([*pip, "check"], check=True)
    assert not (packages / "torch").exists()
    (tmp_path / "chat.txt").write_text(CHAT, encoding="utf-8")
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(environment / "bin" / "sdt"), "predict", "chat.txt", "--format", "jsonl"],
        cwd=tmp_path, env={**outside, "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["emotion"] for line in done.stdout.splitlines()] == ["joy", "anger"]
