"""The table of models: one line here and one file per model; a model's file is imported when the model is used.

Three other ways to add a model:

- An installed package registers a class in the group of entry points `sdt.models`; its name works like a built-in one.
- `my_model.py:MyModel` names a class in a file.
- `package.module:MyModel` names a class in a module.

Code in files and modules is imported only if the user names it: in a recipe, with `--architecture` or with `--code`. A
saved model that needs such code asks for it; a file never causes an import of code that the user did not install or
name.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from sdt.errors import InputError, near_miss
from sdt.plugins import plugins

if TYPE_CHECKING:
    from sdt.models.base import Model

SDT_NAME = "sdt"
MODELS: dict[str, str] = {
    SDT_NAME: "sdt.models.sdt.model:SDT",
    "utterance": "sdt.models.baselines.utterance:UtteranceOnly",
    "bc_lstm": "sdt.models.baselines.bc_lstm:BcLSTM",
    "dialogue_rnn": "sdt.models.baselines.dialogue_rnn:DialogueRNN",
    "dialogue_gcn": "sdt.models.baselines.dialogue_gcn:DialogueGCN",
    "mmgcn": "sdt.models.baselines.mmgcn:MMGCN",
    "mm_dfn": "sdt.models.baselines.mm_dfn:MMDFN",
    "early_fusion": "sdt.models.baselines.early_fusion:EarlyFusion",
}
"""Name to `module:class`."""

ENTRY_POINTS = "sdt.models"
_BASE = "sdt.models.base:Model"
"""The base class."""
_registered: dict[str, type[Model]] = {}
"""Name to the class that a package registers; filled when a name is used."""
_own: dict[str, type[Model]] = {}
"""Label of a custom class, `my_model.py:MyModel` or `package.module:MyModel`, to the class; of this process."""
_files: dict[str, Path] = {}
"""Label to the file that it was read from."""


def is_named(reference: str) -> bool:
    """Whether this is the name of a built-in model or of one that an installed package registers; imports nothing."""
    return reference in MODELS or (reference.isidentifier() and reference in plugins(ENTRY_POINTS))


def find(reference: str) -> type[Model]:
    """Import the class of a model.

    Args:
        reference: A name in `MODELS` or of an installed package, `FILE.py:CLASS` or `MODULE:CLASS`.

    Raises:
        InputError: The model does not exist, or the code cannot be imported.
    """
    check_reference(reference)
    if reference in MODELS:
        module, _, name = MODELS[reference].partition(":")
        found: type[Model] = getattr(importlib.import_module(module), name)
        return found
    if is_named(reference):
        if reference not in _registered:
            kind = plugins(ENTRY_POINTS)[reference].load(type)
            if not _is_model(kind):
                raise InputError(f"architecture {reference}: not a subclass of sdt.models.base.Model")
            _registered[reference] = kind
        return _registered[reference]
    own = label(reference)
    file = Path(reference.rpartition(":")[0])
    file = file.resolve() if file.suffix == ".py" else file
    if own not in _own:
        _own[own] = _import(reference)
        _files[own] = file
    elif file != _files[own]:
        raise InputError(f"{reference}: another file of this name is in use already: {_files[own]}")
    return _own[own]


def known(reference: str) -> type[Model] | None:
    """As `find`, but never imports custom code: returns None if this process has not imported it yet."""
    return find(reference) if is_named(reference) else _own.get(label(reference))


def check_reference(reference: str) -> None:
    """Check the form of a reference; imports nothing.

    Raises:
        InputError: It is neither a known name nor of the form FILE.py:CLASS or MODULE:CLASS.
    """
    module, colon, name = reference.rpartition(":")
    if is_named(reference):
        return
    if not (colon and module and name.isidentifier()):
        near = near_miss(reference, [*MODELS, *plugins(ENTRY_POINTS)])
        raise InputError(f"architecture: unknown model {reference!r}{near}; name code as FILE.py:CLASS or MODULE:CLASS")


def label(reference: str) -> str:
    """How a saved model names its class: a built-in name, or a reference without the folder of its file."""
    module, _, name = reference.rpartition(":")
    return f"{Path(module).name}:{name}" if module.endswith(".py") else reference


def label_of(model: type[Model]) -> str:
    """The label of a class: its name in `MODELS`, or what it was found by, or else its module and name."""
    place = f"{model.__module__}:{model.__qualname__}"
    names = {at: name for name, at in MODELS.items()}
    names |= {_place(of): name for found in (_own, _registered) for name, of in found.items()}
    return names.get(place, place)


def group(reference: str) -> str:
    """The group of a recipe that holds a model's settings: `model` for SDT, else the name of the model's file.

    Settings are given as `bc_lstm.width` or `my_model.width`.
    """
    if reference == SDT_NAME:
        return "model"
    module = reference.rpartition(":")[0] or reference
    return Path(module).stem if module.endswith(".py") else module.rpartition(".")[2]


def settings_of_group(name: str) -> type[Any] | None:
    """The class of settings of a group other than `model`; None if no model that is known has it."""
    if name != SDT_NAME and is_named(name):
        return find(name).settings
    own = [model.settings for reference, model in _own.items() if group(reference) == name]
    return own[-1] if own else None


def _place(model: type) -> str:
    return f"{model.__module__}:{model.__qualname__}"


def _import(reference: str) -> type[Model]:
    """Run custom code, and take the class."""
    module_name, _, name = reference.rpartition(":")
    module = _file(Path(module_name)) if module_name.endswith(".py") else _module(module_name)
    found = getattr(module, name, None)
    models = [key for key, value in vars(module).items() if _is_model(value)]
    if not _is_model(found):
        raise InputError(
            f"{reference}: {module_name} has no model {name!r}, a class derived from sdt.models.base.Model"
            f"{near_miss(name, [key for key in models if key != 'Model'])}"
        )
    return cast("type[Model]", found)


def _is_model(value: object) -> bool:
    """Whether this is a class derived from `Model`, whose file imports this one."""
    return isinstance(value, type) and any(_place(base) == _BASE for base in value.__mro__)


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{path}: no such file; a custom model is named FILE.py:CLASS")
    if not path.stem.isidentifier():
        raise InputError(f"{path}: a file's name names its settings, so it has to be an identifier such as my_model.py")
    name = f"sdt_own_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise _broken(str(path), error) from error
    return module


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise _broken(name, error) from error


def _broken(what: str, error: Exception) -> InputError:
    """Names the line of the researcher's file where its import failed."""
    at, line = error.__traceback__, ""
    while at is not None:
        if at.tb_frame.f_code.co_filename == what:
            line = f", line {at.tb_lineno}"
        at = at.tb_next
    reason = str(error).splitlines()[0] if str(error) else ""
    return InputError(f"{what}{line}: cannot be imported ({type(error).__name__}: {reason})")
