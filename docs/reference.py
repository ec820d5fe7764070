"""A directive for the pages of the reference: tables that come from memxc's own declarations.

```{memxc} passes
```
"""

import dataclasses
import inspect
import json
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

import memxc
from memxc import errors, ops, passes, target
from memxc.cli import _main
from memxc.interfaces import GraphPass


def _cell(value):
    """Return a value as the text of a cell of a Markdown table."""
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(str(value).split()))


def _table(head, rows):
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(map(_cell, row))} |" for row in rows)


def _passes():
    rows = []
    for kind in passes.available().values():
        options = ", ".join(f"`{f.name}={f.default}`" for f in dataclasses.fields(kind))
        side = "graph" if issubclass(kind, GraphPass) else "design"
        told = (inspect.getdoc(kind) or "").splitlines()[0]
        rows.append((f"`{kind.name}`", side, "yes" if kind.exact else "no", told, options))
    return _table(("pass", "works on", "exact", "what it does", "options, defaults"), rows)


def _targets():
    found = [target.load(name) for name in target.names()]
    rows = [
        (f"`{t.name}`", t.summary, f"{t.device.r_on_ohm:g}", f"{t.device.r_off_ohm:g}")
        for t in found
    ]
    return _table(("target", "what it is", "r_on, ohm", "r_off, ohm"), rows)


def _sources():
    rows = []
    for name in target.names():
        for table, values in target.load(name).model_dump(exclude_none=True).items():
            if isinstance(values, dict) and "source" in values:
                rows.append((f"`{name}`", f"`[{table}]`", values["source"]))
    return _table(("target", "table", "source"), rows)


def _faults():
    rows = [(f"`{code}`", number, told) for code, (number, told) in errors.CODES.items()]
    return _table(("code", "exit code", "meaning"), rows)


def _operators():
    rows = [
        (f"`{c.name}`", c.since, ", ".join(f"`{a}`" for a in c.attrs))
        for c in ops.available().values()
    ]
    return _table(("operator", "from opset", "attributes that are covered"), rows)


def _schemas():
    rows = []
    for path in sorted((Path(memxc.__file__).parent / "schemas").glob("*.json")):
        schema = json.loads(path.read_text("utf-8"))
        rows.append((f"`{path.name}`", schema["title"], schema["description"]))
    return _table(("file", "document", "what it holds"), rows)


PARTS = {
    "passes": _passes,
    "targets": _targets,
    "sources": _sources,
    "faults": _faults,
    "operators": _operators,
    "schemas": _schemas,
}


class _Part(SphinxDirective):
    """A table of one part of memxc, by its name."""

    required_arguments = 1

    def run(self):
        lines = StringList(list(PARTS[self.arguments[0]]()), source=self.arguments[0])
        box = nodes.container()
        self.state.nested_parse(lines, 0, box)
        return box.children


def _plain(_app, _what, _name, _obj, _options, lines):
    """Docstrings are plain English with names in backticks: nothing else in them is markup."""
    text = "\n".join(lines)
    text = re.sub(r"([*|\\_])", r"\\\1", text)
    text = re.sub(r"`([^`\n]+)`", lambda m: "``" + m[1].replace("\\", "") + "``", text)
    lines[:] = text.splitlines()


def setup(app):
    """Register the directive and the plain docstrings, and name the commands for their titles."""
    for name in _main.group.list_commands(None):
        _main.group.get_command(None, name).name = name
    app.add_directive("memxc", _Part)
    app.connect("autodoc-process-docstring", _plain)
    return {"parallel_read_safe": True}
