"""The outermost layer in real processes: exit codes, streams, encodings."""

import base64
import hashlib
import json
import os
import re
import resource
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from memxc import __version__
from memxc.cli import _machine, _main, _terminal
from memxc.frontend import exact

COMMANDS = [
    "bench", "characterize", "check", "compile", "completion", "dialects", "diff", "doctor",
    "engines", "explore", "layout", "lvs", "merge", "ops", "passes", "pdk", "program", "report",
    "samples", "show", "simulate", "targets", "twin", "verify",
]  # fmt: skip


def process(*args, **kwargs):
    """memxc in a process. The fixture `memxc` is quicker, and only lacks the start and the end."""
    return subprocess.run(
        [sys.executable, "-m", "memxc", *map(str, args)],
        check=False, capture_output=True, timeout=300, **{"encoding": "utf-8", **kwargs},
    )  # fmt: skip


def test_help_lists_every_command_with_a_sentence():
    done = process("--help")
    assert done.returncode == 0
    table = done.stdout.split("Commands:\n")[1].partition("\n\n")[0].splitlines()
    listed = dict(line.split(maxsplit=1) for line in table if not line.startswith("   "))
    assert sorted(listed) == COMMANDS
    assert not any(line.endswith("...") for line in table)


def test_every_command_has_help(memxc):
    for name in COMMANDS:
        done = memxc(name, "--help")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(f"Usage: memxc {name}")


def test_help_is_quick_and_imports_nothing_heavy():
    code = "import sys, memxc.cli._main as m; [m.group.get_command(None, n) for n in " \
           "m.group.list_commands(None)]; print(*sorted(sys.modules))"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    heavy = {"numpy", "scipy", "onnx", "onnxruntime", "jinja2", "pydantic", "neospice"}
    assert not heavy & set(done.stdout.split())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # 0.3 s is the promise (benchmarks/commands.py measures it). Here only the processor's time
    # counts, for the machine may be busy, and it may be slow.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


@pytest.mark.parametrize(
    ("word", "near"), [("chek", "check"), ("simulat", "simulate"), ("nosuch", ""), ("Lvs", "lvs")]
)
def test_a_misspelt_command(word, near, capsys):
    assert _main._run([word]) == 2
    asked = f" Did you mean '{near}'?" if near else ""
    assert capsys.readouterr().err.splitlines()[-1] == f"Error: No such command '{word}'.{asked}"


def test_version():
    assert process("--version").stdout == f"memxc, version {__version__}\n"


@pytest.mark.parametrize(
    "args", [["nosuch"], ["targets", "--nosuch"], ["compile"], ["show", "nowhere"]]
)
def test_usage(memxc, args):
    done = memxc(*args)
    assert done.code == 2
    assert done.out == ""
    assert "Error:" in done.err


@pytest.mark.parametrize("name", ["targets", "passes", "ops", "dialects", "engines", "doctor"])
def test_json_is_one_document(memxc, name):
    done = memxc(name, "--json")
    assert done.code == 0
    assert done.err == ""
    assert done.json
    assert done.out.isascii()


@pytest.mark.parametrize("name", ["targets", "ops", "engines"])
def test_a_table_has_a_row_for_each_name_in_the_document(memxc, name):
    found = memxc(name, "--json").json
    names = [row["name"] for row in found]
    done = memxc(name)
    assert (done.code, done.err) == (0, "")
    rows = {line.split()[0] for line in done.out.splitlines() if line}
    assert len(names) > 1
    assert set(names) <= rows


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (89.4, "89 s"), (90, "2 min"), (5399, "90 min"), (9000, "2 h 30 min")],
)
def test_time_left_in_words(seconds, words):
    assert _terminal._duration(seconds) == words


def test_doctor_looks_at_every_dependency():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    needed = [re.match(r"[\w-]+", text)[0] for text in project["project"]["dependencies"]]
    assert sorted(_machine.PACKAGES) == sorted(needed)


def test_a_fault_is_one_json_document_too(tmp_path, memxc):
    done = process("verify", tmp_path, "--json")
    assert done.returncode == 3
    tree = json.loads(done.stdout)
    assert tree["exit_code"] == 3
    assert tree["faults"][0]["code"] == "bad-design"
    assert "error[bad-design]" in done.stderr
    assert done.stderr.splitlines()[-1] == "1 error."
    usage = memxc("compile", "--json", "nowhere.onnx", "-o", "x")
    assert usage.json["exit_code"] == usage.code == 2


def test_a_closed_pipe_ends_quietly():
    command = f"{sys.executable} -m memxc ops | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] in ("0", "141")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_behind_standard_output():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "memxc", "targets"],
            check=False, stdout=full, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert done.returncode == 5
    assert done.stderr == "error[cannot-write] standard output: No space left on device\n"


@pytest.mark.parametrize(
    ("command", "code"),
    [("targets", 0), ("check nowhere.onnx", 2), ("verify . --json", 3), ("--version", 0)],
)
def test_closed_streams_change_no_exit_code(tmp_path, command, code):
    """Their text is lost, and standard error is never written into a document."""
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        line = f"{shlex.quote(sys.executable)} -m memxc {command} {closed}"
        done = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, check=False, capture_output=True, text=True
        )
        assert (closed, done.returncode) == (closed, code)
        assert "Traceback" not in done.stderr
        if closed == "2>&-" and "--json" in command:
            assert json.loads(done.stdout)["exit_code"] == code


def test_a_fault_of_our_own_is_a_sentence_and_a_file(monkeypatch, capsys):
    def fall():
        raise RuntimeError("a\x1b[31mred\nherring")

    monkeypatch.setattr(_main.group.get_command(None, "targets"), "callback", lambda **_: fall())
    monkeypatch.delenv("MEMXC_FAULT_FILES", raising=False)
    assert _main._run(["targets"]) == 70
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert "\x1b" not in err
    assert "othing was written" not in err
    file = Path(err.split("The details are in ")[1].split(". Please")[0])
    details = file.read_text()
    file.unlink()
    assert "Traceback" in details
    assert "['targets']" in details
    assert _main._run(["targets", "--json"]) == 70
    out, err = capsys.readouterr()
    assert json.loads(out)["exit_code"] == 70
    Path(err.split("The details are in ")[1].split(". Please")[0]).unlink()


@pytest.mark.parametrize("asked", [None, "1"])
def test_the_file_of_an_internal_error_has_what_a_maintainer_needs(
    monkeypatch, capsys, tmp_path, asked
):
    def fall():
        raise RuntimeError("deep inside")

    model, out = tmp_path / "net.onnx", tmp_path / "out"
    model.write_bytes(b"a secret model")
    out.mkdir()
    kept = {"model": {"name": "n", "sha256": "ab12"}, "options": {"seed": 7}, "files": {"x": "y"}}
    (out / "manifest.json").write_text(json.dumps(kept))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("MEMXC_FAULT_FILES", raising=False)
    if asked:
        monkeypatch.setenv("MEMXC_FAULT_FILES", asked)
    monkeypatch.setattr(_main.group.get_command(None, "check"), "callback", lambda **_: fall())
    monkeypatch.setattr(_main.group.get_command(None, "lvs"), "callback", lambda **_: fall())
    assert _main._run(["check", str(model)]) == 70
    assert _main._run(["lvs", str(out)]) == 70
    assert "MEMXC_FAULT_FILES=1" in capsys.readouterr().err
    text = "".join(path.read_text() for path in tmp_path.glob("memxc-fault-*.txt"))
    for words in (f"memxc {__version__}, Python 3.", "processor: ", "onnxruntime ", "scipy ",
                  "'check'", "RuntimeError: deep inside",
                  "14 bytes, SHA-256 " + hashlib.sha256(b"a secret model").hexdigest(),
                  '"sha256": "ab12"}, "options": {"seed": 7}'):  # fmt: skip
        assert words in text
    assert (base64.b64encode(b"a secret model").decode() in text) == (asked == "1")


def test_doctor_says_what_the_processor_cannot_do_exactly(monkeypatch, capsys):
    def products():
        assert _main._run(["doctor", "--json"]) in (0, 4)
        checks = json.loads(capsys.readouterr().out)["checks"]
        return next((c["state"], c["detail"]) for c in checks if c["name"] == "uint8 x int8")

    real = exact.reference.session
    found = exact.codes_off(constant=False)
    assert exact.codes_off(constant=True) == 0
    assert products()[0] == ("inexact" if found else "ok")

    class Saturating:
        """Acts like a processor without VNNI: every answer is wrong by some codes."""

        def __init__(self, model):
            self.real = real(model)

        def run(self, names, inputs):
            return [self.real.run(names, inputs)[0] ^ np.uint8(4 if "w" in inputs else 0)]

    monkeypatch.setattr(exact.reference, "session", Saturating)
    state, detail = products()
    assert state == "inexact"
    assert "by up to " in detail


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["twin", ".", "-o", "x"], "stopped; nothing was written."),
        (["targets"], "stopped."),
    ],
)
def test_an_interrupted_command_says_so(monkeypatch, capsys, command, said):
    def stop(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_main.group.get_command(None, command[0]), "callback", stop)
    assert _main._run(command) == 130
    assert capsys.readouterr().err.strip() == said


def test_only_what_writes_says_that_nothing_was_written(tmp_path, capsys):
    folder = str(tmp_path)
    for command in ("report", "verify", "lvs", "show"):
        assert _main._run([command, folder]) == 3
        assert capsys.readouterr().err.splitlines()[-1] == "1 error."
    assert _main._run(["diff", folder, folder]) == 3
    assert capsys.readouterr().err.splitlines()[-1] == "1 error."
    assert _main._run(["twin", folder, "-o", f"{folder}/twin.onnx"]) == 3
    assert capsys.readouterr().err.splitlines()[-1] == "1 error; nothing was written."


@pytest.mark.parametrize(
    ("text", "shown"), [("5 µW × Ω…", "5 uW x ohm..."), ("名\udcff", "\\u540d\\udcff")]
)
def test_any_terminal_can_show_any_text(text, shown):
    code = (
        "from memxc.cli import _terminal; _terminal.prepare(); "
        f"_terminal.say({text!a}); _terminal.warn({text!a})"
    )
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=env)
    assert done.stdout.decode("ascii").strip() == shown
    assert done.stderr.decode("ascii").strip() == shown


def test_progress_is_silent_in_a_pipe(capsys):
    with _terminal.progress() as show:
        show("working")
    assert capsys.readouterr() == ("", "")
