"""Write a model, given in any form, to a file."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from memxc.errors import fail
from memxc.frontend import ModelProto, serialised


class Module(Protocol):
    """The part of torch.nn.Module that memxc uses."""

    training: bool

    def eval(self) -> Any:
        """Switch to inference."""

    def modules(self) -> Iterable[Module]:
        """All modules in it, itself among them."""


#: The path of an ONNX file, the model itself, its bytes, or a network of torch.
Model: TypeAlias = str | Path | ModelProto | bytes | Module


def written(model: Model, example: Any, path: Path) -> Path:
    """The file of a model: the given one, or `path`, to which a model in memory is written.

    example: the input, or the tuple of inputs, with which torch exports a module. Raises
    MemxcError: usage for an object that is not a model, missing-engine if torch is needed and not
    installed, broken-model for a model in memory that cannot be written.
    """
    if isinstance(model, str | Path):
        return Path(model)
    if isinstance(model, bytes):
        path.write_bytes(model)
    elif isinstance(model, ModelProto):
        path.write_bytes(serialised(model, "model"))
    else:
        _export(model, example, path)
    return path


def _export(model: Module, example: Any, path: Path) -> None:
    """Export a torch.nn.Module to ONNX, in inference mode."""
    if not any(base.__module__.partition(".")[0] == "torch" for base in type(model).__mro__):
        what = f"has the type {type(model).__name__}"
        hint = "give a path, bytes, an onnx.ModelProto or a torch.nn.Module"
        raise fail("usage", "model", what, hint)
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        what = f"is a network of torch, which cannot be imported: {error}"
        raise fail("missing-engine", "model", what, "pip install torch") from error
    if example is None:
        hint = "example=x, with x of the shape of one sample in a batch of 1"
        raise fail("usage", "example", "torch exports a network with an example of its input", hint)
    inputs = example if isinstance(example, tuple) else (example,)
    # A part of a network in training may be in inference, such as a frozen normalisation.
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        torch.onnx.export(model, inputs, str(path), verbose=False)
    # The exporter raises errors of many kinds for a network that it has no operators for.
    except Exception as error:
        what = f"torch cannot export it: {type(error).__name__}: {error}"
        raise fail("unsupported-model", "model", what) from error
    finally:
        for module, training in modes:
            module.training = training
