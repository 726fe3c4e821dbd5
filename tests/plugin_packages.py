"""Small installed packages that register entry points."""

from __future__ import annotations

from pathlib import Path

import pytest


def install_plugin(
    site: Path, monkeypatch: pytest.MonkeyPatch, package: str, points: dict[str, dict[str, str]], **modules: str
) -> None:
    """Make an installed distribution: its entry points (group -> name -> object) and the source of its modules."""
    info = site / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    sections = (f"[{group}]\n" + "".join(f"{n} = {o}\n" for n, o in names.items()) for group, names in points.items())
    (info / "entry_points.txt").write_text("\n".join(sections))
    for name, source in modules.items():
        (site / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(site)
