"""The command line in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass

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
def memxc(capsys):
    """memxc(*args) -> exit code, standard output, standard error."""

    def run(*args) -> Done:
        capsys.readouterr()
        code = _main._run([str(arg) for arg in args])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Done(code, out, err)

    return run
