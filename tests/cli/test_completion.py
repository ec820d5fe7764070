"""memxc completion: the script of each shell, and what it answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(memxc, shell):
    done = memxc("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert f"_MEMXC_COMPLETE={shell}_complete" in done.out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.out, check=True, text=True)


def test_it_is_written_where_the_shell_looks(memxc, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for shell, place in (
        ("bash", tmp_path / "data" / "bash-completion" / "completions" / "memxc"),
        ("fish", tmp_path / "config" / "fish" / "completions" / "memxc.fish"),
    ):
        done = memxc("completion", shell, "--install")
        assert (done.code, done.err) == (0, "")
        assert place.read_text().rstrip() == memxc("completion", shell).out.rstrip()
    assert 'eval "$(memxc completion zsh)"' in memxc("completion", "zsh", "--install").out


@pytest.mark.parametrize(
    ("words", "wanted"), [("memxc ver", "verify"), ("memxc compile --sched", "--schedule")]
)
def test_a_shell_gets_commands_and_options(words, wanted):
    asked = {
        "_MEMXC_COMPLETE": "bash_complete", "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }  # fmt: skip
    done = subprocess.run(
        [BIN / "memxc"], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert f"plain,{wanted}" in done.stdout
