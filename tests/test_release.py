"""The files of a release agree with each other and with the package."""

import re
import tomllib
from pathlib import Path

import memxc

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def text(name):
    return (ROOT / name).read_text("utf-8")


def test_the_citation_has_the_version_and_the_licence_of_the_package():
    cited = dict(re.findall(r"^(\w[\w-]*): (.+)$", text("CITATION.cff"), re.M))
    assert (cited["version"], cited["license"]) == (memxc.__version__, PROJECT["license"])


def test_the_wheel_is_tried_on_every_python_that_it_names():
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    tried = re.search(r"python: \[(.*)\]", text(".github/workflows/release.yml"))[1]
    assert re.findall(r"3\.\d+", tried) == named
    assert PROJECT["requires-python"] == f">={named[0]}"


def test_the_container_copies_what_is_there():
    for names in re.findall(r"^COPY (.+)$", text("Containerfile"), re.M):
        *sources, _ = names.split()
        assert all((ROOT / source).exists() for source in sources), names


def test_the_page_of_versions_has_this_one():
    minor = memxc.__version__.rpartition(".")[0]
    assert f"\n| {minor} | " in text("docs/support.md")
