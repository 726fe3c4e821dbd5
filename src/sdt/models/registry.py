"""Registry of models; the module of a model is imported when the model is first used.

A built-in model is one entry of `MODELS`. Other ways to add a model:

- An installed package registers a class in the entry point group `sdt.models`; its name works like a built-in name.
- `my_model.py:MyModel` refers to a class in a file.
- `package.module:MyModel` refers to a class in a module.

Code in files and modules is imported only if the user names it: in a recipe, with `--architecture` or with `--code`.
Loading a saved model never imports code that the user did not install or name.
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
_custom: dict[str, type[Model]] = {}
"""Label of a custom class (`my_model.py:MyModel` or `package.module:MyModel`) to the class imported in this process."""
_files: dict[str, Path] = {}
"""Label of a custom class to its file."""


def is_named(reference: str) -> bool:
    """Whether this is the name of a built-in model or of one registered by an installed package; imports nothing."""
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
    label = class_label(reference)
    file = Path(reference.rpartition(":")[0])
    file = file.resolve() if file.suffix == ".py" else file
    if label not in _custom:
        _custom[label] = _import(reference)
        _files[label] = file
    elif file != _files[label]:
        raise InputError(f"{reference}: another file with this name is already in use: {_files[label]}")
    return _custom[label]


def register(kind: type[Model]) -> str:
    """Register a class that the program has defined, such as one of a script or a notebook.

    Returns:
        The reference for the setting `architecture`: the name of a known class; `FILE.py:CLASS` for a class of the
        script that runs; or `MODULE:CLASS`.
    """
    reference = label_of(kind)
    if ":" not in reference or reference in _custom:
        return reference
    module, _, name = reference.rpartition(":")
    script = getattr(sys.modules["__main__"], "__file__", None)
    if module == "__main__" and script is not None:
        reference, module = f"{script}:{name}", script
    file = Path(module)
    _custom[class_label(reference)] = kind
    _files[class_label(reference)] = file.resolve() if file.suffix == ".py" else file
    return reference


def find_imported(reference: str) -> type[Model] | None:
    """Like `find`, but never imports custom code: returns None if this process has not imported it."""
    return find(reference) if is_named(reference) else _custom.get(class_label(reference))


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
        raise InputError(
            f"architecture: unknown model {reference!r}{near}; refer to code as FILE.py:CLASS or MODULE:CLASS"
        )


def class_label(reference: str) -> str:
    """The name of a class in a saved model: a registered name, or the reference without the folder of its file."""
    module, _, name = reference.rpartition(":")
    return f"{Path(module).name}:{name}" if module.endswith(".py") else reference


def label_of(model: type[Model]) -> str:
    """The label of an imported class: its registered name, its `class_label`, or else its module and name."""
    names = {location: name for name, location in MODELS.items()}
    names |= {_location(kind): name for found in (_custom, _registered) for name, kind in found.items()}
    return names.get(_location(model), _location(model))


def group(reference: str) -> str:
    """The recipe group with the settings of a model: `model` for SDT, else the name of the model's module.

    Settings are then called `bc_lstm.width` or `my_model.width`.
    """
    if reference == SDT_NAME:
        return "model"
    module = reference.rpartition(":")[0] or reference
    return Path(module).stem if module.endswith(".py") else module.rpartition(".")[2]


def settings_of_group(name: str) -> type[Any] | None:
    """The settings class of a group other than `model`; None if no imported model has this group."""
    if name != SDT_NAME and is_named(name):
        return find(name).settings
    custom = [model.settings for reference, model in _custom.items() if group(reference) == name]
    return custom[-1] if custom else None


def _location(model: type) -> str:
    return f"{model.__module__}:{model.__qualname__}"


def _import(reference: str) -> type[Model]:
    """Import custom code and return the class."""
    module_name, _, name = reference.rpartition(":")
    module = _file(Path(module_name)) if module_name.endswith(".py") else _module(module_name)
    found = getattr(module, name, None)
    models = [key for key, value in vars(module).items() if _is_model(value)]
    if not _is_model(found):
        raise InputError(
            f"{reference}: {module_name} does not define {name!r} as a subclass of sdt.models.base.Model"
            f"{near_miss(name, [key for key in models if key != 'Model'])}"
        )
    return cast("type[Model]", found)


def _is_model(value: object) -> bool:
    """Whether this is a subclass of `Model`, compared by name because the module of `Model` imports this one."""
    return isinstance(value, type) and any(_location(base) == _BASE for base in value.__mro__)


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{path}: file not found; refer to a custom model as FILE.py:CLASS")
    if not path.stem.isidentifier():
        raise InputError(
            f"{path}: the file name is also the settings group and must be an identifier; rename the file, for example "
            "to my_model.py"
        )
    name = f"sdt_own_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise _import_error(str(path), error) from error
    return module


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise _import_error(name, error) from error


def _import_error(source: str, error: Exception) -> InputError:
    """The error for custom code that fails on import, with the line of the user's file."""
    at, line = error.__traceback__, ""
    while at is not None:
        if at.tb_frame.f_code.co_filename == source:
            line = f", line {at.tb_lineno}"
        at = at.tb_next
    reason = str(error).splitlines()[0] if str(error) else ""
    return InputError(f"{source}{line}: cannot be imported ({type(error).__name__}: {reason})")
