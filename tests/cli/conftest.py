"""The command line in this process."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from memxc.cli import _main


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def memxc(capsys, one_process):
    """memxc(*args) -> exit code, standard output, standard error."""

    def run(*args) -> Done:
        capsys.readouterr()
        code = _main._run([str(arg) for arg in args])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Done(code, out, err)

    return run


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """A folder with the compiled networks, which `compiled` copies."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture
def compiled(memxc, model, once, tmp_path):
    """compiled(*args) -> a folder compiled with these options; the test may change it."""

    def copy(*args) -> Path:
        first = once / " ".join(("net", *args))
        if not first.exists():
            done = memxc("compile", model, "-o", first, *args)
            assert (done.code, done.err) == (0, "")
        return shutil.copytree(first, tmp_path / "out")

    return copy
