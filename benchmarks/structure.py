"""Print figures of the package's structure: rooms, imports between them, names and functions.

    python benchmarks/structure.py [--option NAME] [FOLDER]

FOLDER is a package named memxc, by default that of this checkout. Rooms are its folders and
modules; an arrow is one room that imports from another. Rooms that import from
each other, directly or over others, stand on a circle.

--option lists the modules in which an option of a compilation is a field, an argument or an
attribute. Modules that are written from its declaration do not count.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import Counter, defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median, quantiles

#: Written by `python -m memxc.cli._generated`.
WRITTEN = ("library/options.py",)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(package: Path) -> dict[str, ast.Module]:
    """The syntax tree of each module, by its path inside the package."""
    paths = sorted(package.rglob("*.py"))
    return {str(path.relative_to(package)): ast.parse(path.read_text("utf-8")) for path in paths}


def room(path: str) -> str:
    return Path(path).parts[0].removesuffix(".py")


def arrows(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """For each room the other rooms that it imports from."""
    rooms = {room(path) for path in trees} - {"__init__"}
    found: dict[str, set[str]] = {name: set() for name in rooms}
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    parts = f"{node.module}.{alias.name}".split(".")
                    if parts[0] == "memxc" and room(path) in rooms and parts[1] in rooms:
                        found[room(path)].add(parts[1])
    return {name: others - {name} for name, others in found.items()}


def circles(found: dict[str, set[str]]) -> list[str]:
    """A circle of rooms, empty if there is none."""
    try:
        tuple(TopologicalSorter(found).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def functions(trees: dict[str, ast.Module]) -> list[Function]:
    return [n for tree in trees.values() for n in ast.walk(tree) if isinstance(n, Function)]


def names(trees: dict[str, ast.Module]) -> dict[str, list[str]]:
    """Public classes and functions at the top of a module, by name: the modules that have them."""
    found = defaultdict(list)
    for path, tree in trees.items():
        for node in tree.body:
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(path)
    return found


def single_callers(trees: dict[str, ast.Module]) -> tuple[int, int]:
    """Private functions at the top of a module: those named once elsewhere in it, and all."""
    once = total = 0
    for tree in trees.values():
        uses = Counter(
            node.id if isinstance(node, ast.Name) else node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Name | ast.Attribute)
        )
        private = [
            n.name for n in tree.body if isinstance(n, Function) and re.match(r"_[^_]", n.name)
        ]
        total += len(private)
        once += sum(uses[name] == 1 for name in private)
    return once, total


def touched(trees: dict[str, ast.Module], option: str) -> list[str]:
    """Modules that declare an option, take it or pass it on. A method is no option."""
    found = []
    for path, tree in trees.items():
        methods = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            field = isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == option
            taken = isinstance(node, ast.arg | ast.keyword) and node.arg == option
            read = isinstance(node, ast.Attribute) and node.attr in (option, f"{option}_are")
            if field or taken or (read and id(node) not in methods):
                found.append(path)
                break
    return [path for path in found if path not in WRITTEN]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--option")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parents[1] / "memxc")
    asked = parser.parse_args()
    package = asked.folder
    trees = modules(package)
    if asked.option:
        found = touched(trees, asked.option)
        print(f"modules that know the option {asked.option}: {len(found)}")
        print(*(f"  {path}" for path in found), sep="\n")
        return
    found = arrows(trees)
    lengths = [(node.end_lineno or 0) - node.lineno + 1 for node in functions(trees)]
    loose = [path for path in trees if "/" not in path and not path.startswith("__")]
    helpers = [path for path in trees if re.match(r"passes/_[^_]", path)]
    # Each command of the command line is a function `command`.
    several = {n: p for n, p in names(trees).items() if len(p) > 1 and n != "command"}
    once, total = single_callers(trees)
    lines = sum(text.count("\n") for text in (p.read_text() for p in package.rglob("*.py")))
    print(f"lines                                     {lines:,} in {len(trees)} modules")
    print(f"rooms                                     {len(found)}")
    print(f"arrows between rooms                      {sum(map(len, found.values()))}")
    print(f"a circle of rooms                         {' -> '.join(circles(found)) or 'none'}")
    print(f"modules beside the rooms                  {len(loose)}: {', '.join(loose)}")
    print(f"private helpers in passes/                {len(helpers)}")
    print(f"functions                                 {len(lengths):,}")
    print(f"  median and 90 % of their lines          {median(lengths):g}, "
          f"{quantiles(lengths, n=10)[-1]:g}")  # fmt: skip
    print(f"private functions with a single use       {once} of {total}")
    print(f"public names in more than one module      {len(several)}")
    for name, paths in sorted(several.items()):
        print(f"  {name:39} {', '.join(paths)}")


if __name__ == "__main__":
    main()
