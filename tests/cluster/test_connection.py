"""Addresses, tokens, and a Ray that lives as long as a command."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.cluster.connection import connect_cluster
from sdt.errors import InputError, MissingDependencyError
from tests.forks import fork
from tests.prediction.models import tiny_model

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nowhere", "--cluster nowhere: invalid address; give local, auto, HOST:PORT or ray://HOST:PORT"),
        ("http://127.0.0.1:80", "invalid address"),
        ("127.0.0.1:99999", "invalid address"),
        ("127.0.0.1:1", "no answer (Connection refused); is it the address"),
        ("ray://127.0.0.1:1", "no answer (Connection refused)"),
    ],
)
def test_addresses_where_there_is_no_cluster(address: str, message: str) -> None:
    with pytest.raises(InputError) as refused, connect_cluster(address):
        pass
    assert message in str(refused.value)


def test_a_cluster_needs_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with (
        pytest.raises(InputError, match=r"auto: this machine has no token of the cluster; copy"),
        connect_cluster("auto"),
    ):
        pass


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(MissingDependencyError, match=r"pip install 'sdt-erc\[cluster\]'"), connect_cluster("local"):
        pass


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "chat.txt", "--workers", "2"], "--workers: requires a cluster"),
        (["predict", "chat.txt", "--worker-gpus", "1"], "--worker-gpus: requires a cluster"),
        (["predict", "chat.txt", "--cluster", "local"], "--cluster: requires an output file"),
        (["features", "extract", ".", "--encoder=words", "--output=x", "--cluster=local", "--jobs=2"], "use --workers"),
    ],
)
def test_options_that_contradict_each_other(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("chat.txt").write_text("Ann: Hello!\n", encoding="utf-8")
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("share", ["1.5", "-1", "many", "nan"])
def test_shares_of_gpus(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["predict", "x", f"--worker-gpus={share}"])
    assert f"--worker-gpus: {share!r}" in capsys.readouterr().err


# Not by importing it: Ray looks for its token then, and that of the other tests' cluster is not there yet.
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray")
@pytest.mark.slow
@pytest.mark.xdist_group("cluster")
def test_a_ray_of_this_machine_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_model().save_pretrained(tmp_path / "model")
    (tmp_path / "chat.txt").write_text("Ann: Hello!\nBen: Good bye.\n", encoding="utf-8")
    short = Path(tempfile.mkdtemp(dir="/tmp"))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment = {
        **clean,
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(short),
        "OMP_NUM_THREADS": "1",
    }
    predict = ["predict", "chat.txt", "--model=model", "--device=cpu"]
    monkeypatch.chdir(tmp_path)
    try:
        with fork("sdt", [*predict, "--output", "one.jsonl"], environment) as alone:
            assert alone.stderr
            assert alone.stdout.read() == "written to one.jsonl: 2 utterances\n"
            assert (alone.stderr.read(), alone.wait()) == ("", 0)
        command = [sys.executable, "-m", "sdt", *predict, "--output", "two.jsonl", "--cluster=local", "--workers=1"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "written to two.jsonl: 2 utterances\n"
        assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
        assert not list(short.iterdir())
        assert not (tmp_path / "home").exists()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["chat.txt", "model", "one.jsonl", "two.jsonl"]
    finally:
        shutil.rmtree(short)
