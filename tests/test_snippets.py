"""The commands and the snippets of README.md and docs/ run, from top to bottom of each page.

A page runs in a folder of its own with the repository's models/. In the ordinary run the models are
a small network with the same kinds of stages, so that a page takes a second; the slow run has the
real ones. A comment in front of a block says what differs for it:

    <!-- not run: REASON -->        the block does not run at all
    <!-- slow: REASON -->           only in the slow run, with the real models
    <!-- needs: NAME -->            only where this program or this package is installed
    <!-- run first: COMMAND -->     what a reader has at this place of the page, and the test makes
    <!-- goes into: FILE -->        a table of TOML that a reader adds to this file
"""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from memxc import engines
from memxc.cli import _main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: What a fenced block may hold. The first line runs; the second one does not.
KINDS = {"sh", "python", "toml",
         "text", "csv", "diff", "spice", "yaml"}  # fmt: skip
BLOCK = re.compile(
    r"^ *(?P<marks>(?:<!--(?:(?!-->).)*-->\s*)*)```(?P<kind>[^\n]*)\n(?P<code>.*?)^ *```$",
    re.S | re.M,
)
MARK = re.compile(r"<!-- (not run|slow|needs|run first|goes into): (.*?) -->", re.S)
#: Samples that pages call by these names: data of the reader's own.
DATA = ("fashion.npz", "DATA.npz", "test.npz")


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    kind: str
    code: str
    marks: tuple[tuple[str, str], ...]

    def mark(self, name):
        return " ".join(" ".join(text.split()) for mark, text in self.marks if mark == name)


def blocks(page):
    text = page.read_text("utf-8")
    for found in BLOCK.finditer(text):
        if not found["kind"].startswith("{"):  # a directive of MyST is no snippet
            line = text[: found.start("kind")].count("\n") + 1
            code = re.sub(r"^ {1,3}(?=\S)", "", found["code"], flags=re.M)
            yield Block(page, line, found["kind"], code, tuple(MARK.findall(found["marks"])))


ALL = [block for page in PAGES for block in blocks(page)]
RUN = [page for page in PAGES if any(b.page == page and b.kind in ("sh", "python") for b in ALL)]


def installed(name):
    if name == "vacask":
        return engines.get(name).version() is not None
    return bool(shutil.which(name) or importlib.util.find_spec(name))


def commands(code):
    """The commands of a block, a line each; a here-document stays with its command."""
    code, lines = code.replace("\\\n", " "), []
    end = None
    for line in code.splitlines():
        if end is not None:
            lines[-1] += f"\n{line}"
            end = None if line == end else end
        elif line.strip() and not line.startswith("#"):
            lines.append(line)
            here = re.search(r"<<'(\w+)'", line)
            end = here and here[1]
    return lines


def run_command(line):
    if re.match(r"memxc [^|>&;$]*(#.*)?$", line):
        code = _main._run(shlex.split(line, comments=True)[1:])
    else:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        shell = ["bash", "-euc", line]
        code = subprocess.run(shell, check=False, env={**os.environ, "PATH": path}).returncode
    assert code == 0, line


def run_block(block, names):
    for line in commands(block.mark("run first")):
        run_command(line)
    if block.kind == "python":
        start = "\n" * block.line  # so that a traceback has the page's line
        exec(compile(start + block.code, str(block.page), "exec"), names)
    elif block.mark("goes into"):
        with Path(block.mark("goes into")).open("a") as file:
            file.write(f"\n{block.code}")
    elif block.kind == "sh":
        for line in commands(block.code):
            run_command(line)


def run_page(page, real):
    """Run a page's blocks in the current folder; the names of what its blocks would need."""
    names, missing = {"__name__": "snippet"}, []
    for block in blocks(page):
        needs = block.mark("needs")
        if block.mark("not run") or (block.mark("slow") and not real):
            continue
        if needs and not installed(needs):
            missing.append(f"line {block.line} needs {needs}")
            continue
        run_block(block, names)
    if missing:
        pytest.skip(f"the rest of the page ran: {', '.join(missing)}")


def tell(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", RUN, ids=tell)
def test_a_page_runs_with_a_small_network(page, small, tmp_path, monkeypatch, one_process):
    models = tmp_path / "models"
    models.mkdir()
    for file in (ROOT / "models").iterdir():
        if file.name.startswith("small_"):
            shutil.copy(file, models)
        elif file.suffix == ".onnx":
            shutil.copy(small, models / file.name)
            shutil.copy(small.with_suffix(".samples.npz"), models / f"{file.stem}.samples.npz")
    for folder in ("examples", "benchmarks", "memxc"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    for name in DATA:
        shutil.copy(small.with_suffix(".samples.npz"), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    run_page(page, real=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=tell)
def test_a_page_runs_with_the_real_models(page, tmp_path, monkeypatch, one_process):
    for folder in ("examples", "benchmarks", "memxc", "models"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    for name in DATA:
        shutil.copy(ROOT / "models" / "msccnn_fashion.samples.npz", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    run_page(page, real=True)


def test_every_block_says_what_it_is():
    for block in ALL:
        assert block.kind in KINDS, f"{block.page}:{block.line}: {block.kind!r}"


def test_no_command_hides_where_nothing_runs():
    """In a block of text, or in a paragraph that is indented."""
    command = re.compile(r"^(\$ |memxc [a-z]|python |pip |make |from \w|import \w)", re.M)
    for block in ALL:
        if block.kind == "text":
            assert not command.search(block.code), f"{block.page}:{block.line}"
    for page in PAGES:
        outside = BLOCK.sub("", page.read_text("utf-8"))
        indented = "\n".join(re.findall(r"^    (.*)$", outside, re.M))
        assert not command.search(indented), page


def test_few_blocks_do_not_run_and_each_says_why():
    left_out = [block for block in ALL if block.mark("not run")]
    assert len(left_out) <= 18, [f"{b.page}:{b.line}" for b in left_out]
    for block in ALL:
        for name, text in block.marks:
            assert len(text) >= (8 if name in ("not run", "slow") else 3), (
                f"{block.page}:{block.line}"
            )


def test_tables_of_a_target_are_toml():
    for block in ALL:
        if block.kind == "toml":
            tomllib.loads(block.code)


def test_scripts_that_pages_name_exist():
    for page in PAGES:
        for script in re.findall(r"\bpython ((?:benchmarks|models|tests|examples)/[\w/.]+)",
                                 page.read_text("utf-8")):  # fmt: skip
            assert (ROOT / script).exists(), f"{page}: {script}"


def test_marks_and_here_documents_are_read(tmp_path):
    page = tmp_path / "a.md"
    page.write_text(
        "<!-- a table: begin -->\n| a |\n\n<!-- not run: too long\nfor a test -->\n"
        "```sh\nmemxc check a \\\n    --json\n\ncat > f <<'END'\n# kept\nEND\n```\n"
        "\n```{toctree}\nb\n```\n\n- a list\n  <!-- needs: torch -->\n  ```python\n  x = 1\n  ```\n"
    )
    first, second = blocks(page)
    assert (first.line, first.kind, first.mark("not run")) == (6, "sh", "too long for a test")
    assert commands(first.code) == ["memxc check a      --json", "cat > f <<'END'\n# kept\nEND"]
    assert (second.kind, second.code, second.mark("needs")) == ("python", "x = 1\n", "torch")
