import sys
from pathlib import Path

import pytest

from sdt.errors import InputError
from sdt.plugins import Registry, plugins
from tests.plugin_packages import install_plugin

GROUP = "sdt.testing"


def test_a_package_extends_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Registry(GROUP, int, {"one": 1})
    assert list(table) == ["one"]
    install_plugin(tmp_path, monkeypatch, "two-package", {GROUP: {"two": "two_module:VALUE"}}, two_module="VALUE = 2")

    assert list(table) == ["one", "two"]
    assert len(table) == 2
    assert "two" in table
    assert "two_module" not in sys.modules
    assert table["two"] == 2
    with pytest.raises(KeyError):
        table["three"]


def test_a_program_adds_an_entry_for_its_process() -> None:
    table = Registry(GROUP, int, {"one": 1})
    table.add("two", 2)
    table.add("two", 3)
    assert (dict(table), len(table)) == ({"one": 1, "two": 3}, 2)
    with pytest.raises(InputError, match="'one' is built in"):
        table.add("one", 4)
    with pytest.raises(InputError, match="'three' is a str, not a int"):
        table.add("three", "3")  # type: ignore[arg-type]


def test_a_package_cannot_replace_a_built_in_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(tmp_path, monkeypatch, "one-again", {GROUP: {"one": "absent:VALUE"}})
    table = Registry(GROUP, int, {"one": 1})
    assert (table["one"], list(table), len(table)) == (1, ["one"], 1)


@pytest.mark.parametrize(
    "source", ["raise SystemError('broken')", "import not_installed_anywhere", "VALUE = 'text'", ""]
)
def test_a_broken_package_is_one_input_error_that_names_it(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "bad_module", raising=False)
    install_plugin(tmp_path, monkeypatch, "bad-package", {GROUP: {"bad": "bad_module:VALUE"}}, bad_module=source)
    with pytest.raises(InputError, match="bad-package") as error:
        Registry(GROUP, int, {})["bad"]
    assert "\n" not in str(error.value)


def test_two_packages_with_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("first-package", "second-package"):
        install_plugin(tmp_path, monkeypatch, package, {GROUP: {"same": "module:VALUE"}})
    with pytest.raises(InputError, match="first-package and second-package"):
        plugins(GROUP)
