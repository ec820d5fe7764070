"""Break the code in a sample of ways and count the ways that no test sees.

    python tests/mutants/run.py record                     # which test runs which line, how long
    python tests/mutants/run.py run --count 400 --jobs 2   # break, test, count
    python tests/mutants/run.py show                       # the survivors, each as a diff

The mutants are cosmic-ray's (a number, an operator, a comparison, a condition ... is replaced) in
the rooms that compute what a user is told. The sample is drawn by a seed, from each room in
proportion. A mutant meets the tests that run its line, the quickest first. What is found is added
to FOLDER/results.jsonl, so that a run that was interrupted goes on. Needs the extra `mutants`.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import coverage
from cosmic_ray.commands.init import _all_work_items
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

ROOT = Path(__file__).parent.parent.parent
ROOMS = {
    "physics": "memxc/physics/**/*.py",
    "passes": "memxc/passes/*.py",
    "analysis": "memxc/analysis/*.py",
    "mapping": "memxc/mapping/*.py",
    "lvs": "memxc/lvs/*.py",
    "verify": "memxc/verify/*.py",
    "costs": "memxc/backends/cost/*.py",
}
#: Seconds of tests, as recorded, that a mutant meets at most; no mutant runs ten times as long.
TESTS_SECONDS = 60.0
TIMES_LONGER = 10.0
#: What a mutated tree needs beside memxc: these are links.
BESIDE = ("templates", "tests", "models", "docs", "benchmarks", "examples", "pyproject.toml",
          "README.md", "Makefile", "CHANGELOG.md", "CONTRIBUTING.md")  # fmt: skip


def record(folder: Path) -> None:
    """Run the suite once under coverage, each line with the tests that ran it."""
    folder.mkdir(exist_ok=True)
    settings = folder / "settings.ini"
    settings.write_text(f"[run]\ndata_file = {folder / 'coverage'}\nsource = memxc\n")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "not slow", "--cov"]
    command += [f"--cov-config={settings}", "--cov-context=test", "--cov-report="]
    subprocess.run([*command, f"--junitxml={folder / 'times.xml'}"], cwd=ROOT, check=True)


def seconds_of_tests(folder: Path) -> dict[str, float]:
    """How long each test took, by its node id."""
    found = {}
    for case in ET.parse(folder / "times.xml").getroot().iter("testcase"):
        path = case.get("classname", "").replace(".", "/") + ".py"
        found[f"{path}::{case.get('name')}"] = float(case.get("time", 0.0))
    return found


def annotations(code: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where annotations stand: they are never evaluated, so a mutant there is no other program."""
    spans = []
    for node in ast.walk(ast.parse(code)):
        parts = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for part in filter(None, parts):
            spans.append(((part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)))
    return spans


def mutants() -> dict[str, list[dict]]:
    """Every mutant of the rooms, by room: file, line, operator and the place in the file."""
    found: dict[str, list[dict]] = defaultdict(list)
    for room, pattern in ROOMS.items():
        for path in sorted(ROOT.glob(pattern)):
            spans = annotations(path.read_text("utf-8"))
            for item in _all_work_items([path], {}):
                (spec,) = item.mutations
                if any(start <= tuple(spec.start_pos) < end for start, end in spans):
                    continue
                found[room].append(
                    {
                        "room": room,
                        "file": str(path.relative_to(ROOT)),
                        "operator": spec.operator_name,
                        "place": spec.occurrence,
                        "line": spec.start_pos[0],
                    }
                )
    return found


def drawn(every: dict[str, list[dict]], count: int, seed: int) -> list[dict]:
    """A sample of `count`, from each room in proportion to its mutants."""
    total = sum(map(len, every.values()))
    rng = random.Random(seed)
    sample = [
        mutant
        for room in sorted(every)
        for mutant in rng.sample(every[room], round(count * len(every[room]) / total))
    ]
    rng.shuffle(sample)
    return sample


def key(mutant: dict) -> str:
    return "{file}:{line} {operator} #{place}".format(**mutant)


def mutated(mutant: dict) -> tuple[str, str]:
    """The file's text before and after."""
    code = (ROOT / mutant["file"]).read_text("utf-8")
    changed = mutate_code(code, get_operator(mutant["operator"])(), mutant["place"])
    assert changed is not None, "the file has changed since the sample was drawn"
    return code, changed


def tests_of(mutant: dict, data: coverage.CoverageData, times: dict[str, float]) -> list[str]:
    """The tests that run the mutant's line, quickest first, up to TESTS_SECONDS in all.

    A line that runs at import (a constant, a decorator) meets all tests of the file.
    """
    by_line = data.contexts_by_lineno(str(ROOT / mutant["file"]))
    contexts = by_line.get(mutant["line"], [])
    if contexts == [""]:
        contexts = [context for line in by_line.values() for context in line]
    names = {context.rpartition("|")[0] for context in contexts if context}
    chosen, left = [], TESTS_SECONDS
    for name in sorted(names, key=lambda name: (times.get(name, 1.0), name)):
        left -= times.get(name, 1.0)
        if chosen and left < 0:
            break
        chosen.append(name)
    return chosen


def tree(folder: Path) -> Path:
    """A copy of memxc in a new folder, with links to all that stands beside it."""
    made = Path(tempfile.mkdtemp(prefix="tree-", dir=folder))
    shutil.copytree(ROOT / "memxc", made / "memxc", ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        (made / name).symlink_to(ROOT / name)
    return made


def outcome(mutant: dict, folder: Path, tests: list[str], times: dict[str, float]) -> dict:
    """The mutant with its outcome: killed, survived, uncovered (no test runs the line), invalid.

    Some mutants are no Python (`{**a, *b}`); they are not counted.
    """
    changed = mutated(mutant)[1]
    try:
        ast.parse(changed)
    except SyntaxError:
        return {**mutant, "outcome": "invalid", "tests": 0}
    if not tests:
        return {**mutant, "outcome": "uncovered", "tests": 0}
    home = tree(folder)
    (home / mutant["file"]).write_text(changed, "utf-8")
    # Node ids hold the path of the real tests, which are links here: the mutated memxc comes first.
    world = {**os.environ, "PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header"]
    limit = 60 + TIMES_LONGER * sum(times.get(name, 1.0) for name in tests)
    began = time.monotonic()
    (home / "args").write_text("\n".join(tests), "utf-8")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, f"@{home / 'args'}"],
            check=False, cwd=home, env=world, timeout=limit, capture_output=True, text=True,
        )  # fmt: skip
        code, said = done.returncode, done.stdout[-400:]
    except subprocess.TimeoutExpired:
        code, said = 1, "timeout"
    finally:
        shutil.rmtree(home, ignore_errors=True)
    # A test file that cannot even be imported has seen the mutant, too.
    seen = code == 4 and "stopping after 1 failures" in said
    assert seen or code in (0, 1, 2, 3), f"pytest ended with {code}: {said}"
    found = "survived" if code == 0 else "killed"
    spent = round(time.monotonic() - began, 1)
    return {**mutant, "outcome": found, "tests": len(tests), "seconds": spent}


def interval(hits: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, share = 1.959964, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count**2)) / (1 + z * z / count)
    return middle - half, middle + half


def results(folder: Path) -> dict[str, dict]:
    path = folder / "results.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return {key(found): found for found in map(json.loads, lines)}


def run(folder: Path, count: int, seed: int, jobs: int) -> None:
    every = mutants()
    sample = drawn(every, count, seed)
    print(f"{sum(map(len, every.values())):,} mutants; a sample of {len(sample)}, seed {seed}")
    data = coverage.CoverageData(str(folder / "coverage"))
    data.read()
    times = seconds_of_tests(folder)
    known = results(folder)
    left = [mutant for mutant in sample if key(mutant) not in known]
    chosen = [tests_of(mutant, data, times) for mutant in left]
    with ThreadPoolExecutor(jobs) as pool, (folder / "results.jsonl").open("a") as journal:
        every_one = pool.map(lambda m, t: outcome(m, folder, t, times), left, chosen)
        for done, found in enumerate(every_one, 1):
            journal.write(json.dumps(found) + "\n")
            journal.flush()
            print(f"{done} of {len(left)}: {found['outcome']:9} {key(found)}", flush=True)
    known = results(folder)
    tell([known[key(mutant)] for mutant in sample])


def tell(found: list[dict]) -> None:
    """How many were seen, by room and in all."""
    for room in [*ROOMS, None]:
        part = [one for one in found if room in (None, one["room"]) and one["outcome"] != "invalid"]
        counts = Counter(one["outcome"] for one in part)
        low, high = interval(counts["killed"], len(part))
        print(
            f"{room or 'all':8} {counts['killed']} of {len(part)} killed "
            f"({100 * low:.0f} to {100 * high:.0f} %), {counts['survived']} survived, "
            f"{counts['uncovered']} on lines that no test runs"
        )


def show(folder: Path) -> None:
    for name, found in results(folder).items():
        if found["outcome"] in ("survived", "uncovered"):
            before, after = (text.splitlines() for text in mutated(found))
            diff = list(difflib.unified_diff(before, after, lineterm="", n=1))[2:]
            print(f"{found['outcome']}: {name}", *diff, "", sep="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("record", "run", "show"))
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "mutants")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    given.folder = given.folder.resolve()
    if given.what == "record":
        given.folder.parent.mkdir(exist_ok=True)
        record(given.folder)
    elif given.what == "run":
        run(given.folder, given.count, given.seed, given.jobs)
    else:
        show(given.folder)


if __name__ == "__main__":
    main()
