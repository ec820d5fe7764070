"""The pages say nothing that is not there: links, commands, options, make targets, exit codes."""

import re
import subprocess
from pathlib import Path

import click
import pytest

from memxc import target as targets
from memxc.cli import _main
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.errors import CODES

ROOT = Path(__file__).parent.parent
PAGES = [p for folder in (".", "docs", "docs/decisions", "examples", "models")
         for p in sorted((ROOT / folder).glob("*.md"))]  # fmt: skip
README, GUIDE, CLI = (
    (ROOT / name).read_text("utf-8") for name in ("README.md", "CONTRIBUTING.md", "docs/cli.md")
)


def parameters(command):
    """The parameters of a command, and of all commands of a group."""
    found = command.get_params(click.Context(command))
    for part in getattr(command, "commands", {}).values():
        found += parameters(part)
    return found


def options(name):
    command = _main.group.get_command(None, name)
    return {opt for param in parameters(command) for opt in (*param.opts, *param.secondary_opts)}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target


def commands(text):
    """The commands of memxc in a page's code, each as its name and what stands behind it."""
    fence = r"^```.*?\n(.*?)^```"
    inline = re.findall(r"`([^`]+)`", re.sub(fence, "", text, flags=re.S | re.M))
    code = [*re.findall(fence, text, re.S | re.M), "\n".join(re.findall(r"^    (.*)$", text, re.M))]
    lines = "\n".join([*code, *(" ".join(part.split()) for part in inline)])
    for line in re.split(r"\n|;|&&", lines.replace("\\\n", " ")):
        found = re.match(r"\s*memxc +([a-z]+)([^#]*)", line)
        if found:
            yield found.groups()


def test_commands_are_found_in_all_kinds_of_code():
    text = """
```
memxc check a.onnx  # memxc or --this
memxc compile a.onnx \\
    -o a
```
Words, `memxc verify
a --wire; memxc lvs a`, and

    cd here && memxc twin a \\
        -o b
"""
    found = [(name, rest.split()) for name, rest in commands(text)]
    assert found == [
        ("check", ["a.onnx"]), ("compile", ["a.onnx", "-o", "a"]), ("twin", ["a", "-o", "b"]),
        ("verify", ["a", "--wire"]), ("lvs", ["a"]),
    ]  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_quoted_commands_and_their_options_exist(page):
    known = _main.group.list_commands(None)
    for name, rest in commands(page.read_text("utf-8")):
        assert name in known
        assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest)) <= options(name), (name, rest)


def described(name):
    """What docs/cli.md says of a command: its row of the table, and its section."""
    row = re.search(rf"^\| `memxc {name}\b.*$", CLI, re.M)
    section = re.search(rf"^### {name}\n(.*?)^##", CLI, re.M | re.S)
    return "\n".join(found[0] for found in (row, section) if found)


@pytest.mark.parametrize("name", _main.group.list_commands(None))
def test_every_option_is_documented_with_its_command(name):
    """But for --json, which one sentence says of all commands that have it."""
    text = described(name)
    for param in parameters(_main.group.get_command(None, name)):
        names = [o for o in param.opts if o.startswith("-") and o not in ("--json", "--help")]
        found = [opt for opt in names if re.search(rf"(?<![\w-]){opt}(?![\w-])", text)]
        assert found or not names, names


def test_commands_without_json_are_named():
    without = re.search(r"All commands but (`.*?) have `--json`", CLI)[1]
    names = _main.group.list_commands(None)
    assert set(re.findall(r"`(\w+)`", without)) == {n for n in names if "--json" not in options(n)}


def test_every_command_is_documented():
    for name in _main.group.list_commands(None):
        assert re.search(rf"`(memxc )?{name}\b", CLI), name


def test_every_schema_is_documented():
    for path in (ROOT / "memxc" / "schemas").glob("*.json"):
        assert f"`{path.name}`" in CLI, path.name


def test_the_operator_that_is_shown_is_the_file():
    shown = re.search(r"```diff\n.*?\+{3} b/(\S+)\n@@ -0,0 \+1,(\d+) @@\n(.*?)```", GUIDE, re.S)
    lines = (ROOT / shown[1]).read_text("utf-8").splitlines()
    assert shown[3].splitlines() == [f"+{line}" for line in lines]
    assert int(shown[2]) == len(lines)


def test_pages_that_the_code_cites_exist():
    for path in sorted((ROOT / "memxc").rglob("*.py")):
        for page in re.findall(r"[\w/-]+\.md\b", path.read_text("utf-8")):
            template = ROOT / "templates" / "report" / f"{page}.j2"
            places = (ROOT / page, ROOT / "docs" / page, template)
            # What memxc itself writes.
            assert page == "report.md" or any(p.is_file() for p in places), f"{path}: {page}"


def test_make_targets_exist():
    listed = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True)
    targets = set(re.findall(r"^  make ([a-z-]+)", listed.stdout, re.M))
    assert {"demo", "test", "test-full", "lint", "bench", "check", "clean"} <= targets
    pages = README + GUIDE
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", pages, re.M)) <= targets


def test_every_exit_code_is_documented():
    codes = {code for code, _ in CODES.values()} | {0, 1, 70}
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", CLI, re.M)}
    assert codes <= documented


def test_no_page_names_this_machine():
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(work|home|root|tmp)/", page.read_text("utf-8"))


def test_the_life_of_one_weight_is_that_of_the_model():
    """The conductances, the feedback resistor and the lines of the netlist on the page."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    g_plus, g_minus, r_f = (
        float(re.search(pattern, page)[1].replace(",", ""))
        for pattern in (r"G\+ = (\S+) uS", r"G- = (\S+) uS", r"of the lane is (\S+) ohm")
    )
    lines = [float(number) for number in re.findall(r"`R00_00[01] w00 c00[01] (\S+)`", page)]
    model = ROOT / "models" / "msccnn_fashion.onnx"
    made = compile_model(Options(model, targets.load("hfox-128")), check=False).design.arrays[0]
    siemens = made.crossbars[0].conductance()[0][0, :2]
    assert siemens == pytest.approx([1e-6 * g_plus, 1e-6 * g_minus], rel=1e-5)
    assert lines == pytest.approx(1 / siemens, rel=1e-6)
    assert made.r_f[0] == pytest.approx(r_f, rel=1e-5)
    assert (g_plus - g_minus) * 1e-6 * r_f == pytest.approx(-0.188314, rel=1e-4)


GLOSSARY = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in (ROOT / "docs" / "glossary.md").read_text("utf-8").splitlines()
    if line.startswith("| ")
][1:]


def test_the_terms_of_the_glossary_are_in_order_and_each_is_there_once():
    terms = [term for term, _, _ in GLOSSARY]
    assert terms == sorted(terms, key=str.lower)
    each = [word for term in terms for word in term.split(", ")]
    assert sorted(each) == sorted(set(each))


def test_the_names_of_the_glossary_are_in_the_code():
    folders = [ROOT / "memxc", ROOT / "templates"]
    code = "\n".join(
        path.read_text("utf-8") for folder in folders for path in folder.rglob("*.*")
        if path.suffix in (".py", ".toml", ".j2")
    )  # fmt: skip
    files = {str(path.relative_to(ROOT)) for folder in folders for path in folder.rglob("*")}
    for term, names, _ in GLOSSARY:
        for name in re.findall(r"`([^`]+)`", names):
            for word in re.findall(r"[A-Za-z][\w-]*", name.partition("{")[0]):
                known = word in code or any(word in path for path in files)
                known |= word.replace("-", "_") in code
                assert known, f"{term}: {word}"
