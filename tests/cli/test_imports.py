"""A command imports its own modules and no other command's."""

import subprocess
import sys
from pathlib import Path

from sdt.cli import COMMANDS

SCRIPT = """
import sys
from sdt.__main__ import main
main(["predict", sys.argv[1]])
print(*(name for name in sys.modules if name.split(".")[0] == "sdt"), file=sys.stderr)
"""
MOST = 75
"""Modules of sdt that a prediction may execute, without the table of formats."""


def test_a_prediction_imports_no_other_command(tmp_path: Path) -> None:
    chat = tmp_path / "chat.txt"
    chat.write_text("Ann: I got the job!\nBen: Oh no.\nAnn: Why?\n", encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(chat)], capture_output=True, text=True, check=True)
    modules = set(done.stderr.splitlines()[-1].split())
    commands = {module for module, _ in COMMANDS.values()}
    assert modules & commands == {"sdt.cli.predict"}
    assert not {name for name in modules if name.startswith(("sdt.corpus.", "sdt.serving", "sdt.experiments"))}
    assert "sdt.training.schema" not in modules  # it imports pydantic
    assert len([name for name in modules if not name.startswith("sdt.formats.")]) <= MOST
