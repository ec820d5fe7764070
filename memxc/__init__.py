"""memxc compiles trained ONNX networks to memristor-crossbar circuits (docs/library.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memxc.compiler.options import Options
    from memxc.errors import MemxcError
    from memxc.exploration import explore
    from memxc.library import samples
    from memxc.library.build import Build, load
    from memxc.library.compile import compile
    from memxc.target import Target

__version__ = "0.2.0"

__all__ = [
    "Build",
    "MemxcError",
    "Options",
    "Target",
    "__version__",
    "compile",
    "explore",
    "load",
    "samples",
]

#: The module of each public name. They are imported when they are asked for: that takes a second.
_MODULES = {
    "Build": "memxc.library.build",
    "MemxcError": "memxc.errors",
    "Options": "memxc.compiler.options",
    "Target": "memxc.target",
    "compile": "memxc.library.compile",
    "explore": "memxc.exploration",
    "load": "memxc.library.build",
    "samples": "memxc.library",
}


if not TYPE_CHECKING:  # else a type checker would know every name

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module 'memxc' has no attribute {name!r}")
        return getattr(__import__(_MODULES[name], fromlist=[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
