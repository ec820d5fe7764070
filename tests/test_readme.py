"""The pages say nothing that is not there: links, commands, options, make targets, exit codes."""

import re
import subprocess
from pathlib import Path

import pytest

from memxc.cli import _main
from memxc.errors import CODES

ROOT = Path(__file__).parent.parent
PAGES = [p for folder in (".", "docs", "docs/decisions", "examples", "models")
         for p in sorted((ROOT / folder).glob("*.md"))]  # fmt: skip
README, GUIDE, CLI = (
    (ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md", "docs/cli.md")
)


def options(name):
    command = _main.group.get_command(None, name)
    return {opt for param in command.params for opt in (*param.opts, *param.secondary_opts)}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_exist(page):
    known = _main.group.list_commands(None)
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", page.read_text(), re.S))
    for name in re.findall(r"(?:`|^)memxc +([a-z]+)", code, re.M):
        assert name in known


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_options_of_quoted_commands_exist(page):
    quoted = re.findall(r"`(memxc [^`]*)`", page.read_text())
    commands = re.findall(
        r"(?:^|; )memxc ([a-z]+)([^;\n]*)",
        "\n".join(" ".join(text.split()) for text in quoted),
        re.M,
    )
    for name, rest in commands:
        assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= options(name)


def test_every_option_of_compile_and_verify_is_documented():
    for name in ("compile", "verify"):
        for option in options(name):
            if option.startswith("--") and option != "--output":
                assert f"{option}" in CLI, option


def test_every_command_is_documented():
    for name in _main.group.list_commands(None):
        assert re.search(rf"`(memxc )?{name}\b", CLI), name


def test_every_schema_is_documented():
    for path in (ROOT / "memxc" / "schemas").glob("*.json"):
        assert f"`{path.name}`" in CLI, path.name


def test_the_operator_that_is_shown_is_the_file():
    shown = re.search(r"```diff\n.*?\+{3} b/(\S+)\n@@ -0,0 \+1,(\d+) @@\n(.*?)```", GUIDE, re.S)
    lines = (ROOT / shown[1]).read_text().splitlines()
    assert shown[3].splitlines() == [f"+{line}" for line in lines]
    assert int(shown[2]) == len(lines)


def test_pages_that_the_code_cites_exist():
    for path in sorted((ROOT / "memxc").rglob("*.py")):
        for page in re.findall(r"[\w/-]+\.md\b", path.read_text()):
            places = (ROOT / page, ROOT / "docs" / page)
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
        assert not re.search(r"(?<![\w.])/(work|home|root|tmp)/", page.read_text())
