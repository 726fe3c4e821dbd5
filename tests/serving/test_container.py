"""The files that put the service into a container: they agree with the service and with each other.

There is no engine here that could build the image; `docs/serving.md` says how it is linted.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import fields
from typing import Any

import pytest
import yaml

from sdt.cli import serve
from sdt.serving.config import ServingConfig
from tests.serving.running import Running
from tests.shared import ROOT

pytestmark = pytest.mark.xdist_group("serving")
GIB = 2**30


def instructions() -> list[list[tuple[str, str]]]:
    """The (instruction, arguments) of each stage; before the first stage are the arguments of all."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    stages: list[list[tuple[str, str]]] = [[]]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            stages.append([])
        stages[-1].append((name, rest.strip()))
    return stages


def said(stage: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for instruction, rest in stage if instruction == name]


@pytest.fixture(scope="module")
def final() -> list[tuple[str, str]]:
    return instructions()[-1]


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["sdt"]


def served(command: list[str]) -> argparse.Namespace:
    """What `sdt serve` makes of a command; it ends with an error where there is no such option."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    serve.configure(parser)
    assert command[0] == "serve"
    return parser.parse_args(command[1:])


def settings(options: argparse.Namespace) -> ServingConfig:
    return ServingConfig(**{option.name: getattr(options, option.name) for option in fields(ServingConfig)})


def test_the_image_runs_as_a_user_of_no_rights(final: list[tuple[str, str]]) -> None:
    (user,) = said(final, "USER")
    uid, gid = (int(number) for number in user.split(":"))
    assert uid > 0
    assert gid > 0
    assert any(f"--uid {uid} " in run and "useradd" in run for run in said(final, "RUN"))
    assert [name for name, _ in final].index("USER") > [name for name, _ in final].index("COPY")


def test_what_it_runs_is_the_service(final: list[tuple[str, str]]) -> None:
    assert json.loads(said(final, "ENTRYPOINT")[0]) == ["sdt"]
    options = served(json.loads(said(final, "CMD")[0]))
    assert options.host == "0.0.0.0"
    assert said(final, "EXPOSE") == [str(options.port)]


def test_the_health_check_asks_the_service(final: list[tuple[str, str]], service: Running) -> None:
    """Run against a real one, and against nobody."""
    (check,) = said(final, "HEALTHCHECK")
    program, *rest = json.loads(check[check.index("[") :])
    assert program == "python"
    port = served(json.loads(said(final, "CMD")[0])).port
    code = rest[1]
    assert f"http://127.0.0.1:{port}/readyz" in code

    def run(asked: int) -> int:
        command = [sys.executable, rest[0], code.replace(f":{port}/", f":{asked}/")]
        return subprocess.run(command, stderr=subprocess.DEVNULL, check=False, timeout=30).returncode

    assert run(service.port) == 0
    assert run(1) != 0


def test_what_is_installed_is_in_the_project(final: list[tuple[str, str]]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    arguments = dict(rest.split("=", 1) for stage in instructions() for rest in said(stage, "ARG"))
    assert set(arguments["EXTRAS"].split(",")) <= project["optional-dependencies"].keys()
    version = re.match(r"(\d+)\.(\d+)", arguments["PYTHON"])
    assert version
    assert (int(version[1]), int(version[2])) >= (3, 11)
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().splitlines()
    names = {line.partition("==")[0].replace("_", "-") for line in pinned}
    for extra in ("serve", "media"):
        for wanted in project["optional-dependencies"][extra]:
            assert re.split(r"[\[<>=]", wanted)[0].lower() in names, wanted
    (build,) = instructions()[1:-1]
    installs = [run for run in said(build, "RUN") if " install " in run]
    assert len(installs) == 1
    assert all("--constraint constraints.txt" in run for run in installs)
    assert any(source.startswith("--from=build /opt/sdt ") for source in said(final, "COPY"))


def test_what_is_built_from_is_handed_over_and_nothing_else() -> None:
    (build,) = instructions()[1:-1]
    copied = {name for rest in said(build, "COPY") for name in shlex.split(rest)[:-1]}
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    taken = {rule[1:] for rule in rules if rule.startswith("!")}
    assert taken == copied
    for name in taken:
        assert (ROOT / name).exists()
    assert not any(fnmatch.fnmatch("sdt-token", name) for name in taken)
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {name.split("/")[0] for name in (*packaged["packages"], *packaged["force-include"])}
    assert needed | {"pyproject.toml", "README.md"} <= taken


def test_the_composition_confines_it(compose: Any) -> None:
    assert compose["read_only"] is True
    assert compose["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in compose["security_opt"]
    assert compose["init"] is True
    assert not {"privileged", "cap_add", "network_mode", "pid", "user", "volumes", "environment"} & compose.keys()
    options = served(compose["command"])
    (port,) = compose["ports"]
    assert port == f"127.0.0.1:{options.port}:{options.port}"


def test_the_composition_has_room_for_what_it_allows(compose: Any) -> None:
    options = served(compose["command"])
    limits = settings(options)
    (place,) = compose["tmpfs"]
    path, _, how = place.partition(":")
    assert path == "/tmp"
    size = int(re.search(r"size=(\d+)g", how)[1]) * GIB  # type: ignore[index]
    assert limits.body_bytes * limits.concurrent <= size
    memory = int(compose["mem_limit"].removesuffix("g")) * GIB
    assert size + limits.decoders * limits.decode_bytes + limits.held_bytes + GIB <= memory
    assert int(compose["stop_grace_period"].removesuffix("s")) > limits.stop_seconds


def test_the_token_is_a_secret(compose: Any) -> None:
    whole = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    (secret,) = compose["secrets"]
    assert str(served(compose["command"]).token_file) == f"/run/secrets/{secret}"
    file = whole["secrets"][secret]["file"].removeprefix("./")
    assert f"/{file}" in (ROOT / ".gitignore").read_text().splitlines()
