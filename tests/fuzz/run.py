"""make fuzz: coverage-guided fuzzing of everything that reads a user's file.

    python tests/fuzz/run.py --seconds 3600 [--target frontend ...]

Each target runs in a process of its own, one after the other, and is started again when it dies.
A finding is an input for which something other than MemxcError is raised, that takes more than
SECONDS of processor time or MEMORY bytes, or that ends the process. Each place in the code is
kept once, with the smallest of its inputs, under build/fuzz/findings/. Exit code 1 where there
is one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "fuzz"
NAMES = ("frontend", "samples", "target", "design", "netlist")
#: Bounds of one input: seconds of processor time, and bytes beyond what the process starts with.
#: The memory is what docs/cli.md says of `check` at its limits, and something beside it.
SECONDS, MEMORY = 20, 5 << 29
#: Where even a signal of Python's own no longer gets through, libFuzzer ends the process.
_HARD_SECONDS = 60


class TooSlowError(BaseException):
    """An input took more than SECONDS. No `except Exception` swallows it."""


def main() -> int:
    """Share the seconds among the targets; the number of findings as the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for all targets together")
    parser.add_argument("--target", action="append", choices=NAMES)
    parser.add_argument("--child", choices=NAMES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _child(options.child, options.seconds)
        return 0
    names = options.target or NAMES
    # The model file is by far the largest language.
    shares = {name: 6 if name == "frontend" else 1 for name in names}
    for name in names:
        _parent(name, options.seconds * shares[name] // sum(shares.values()))
    return _summary(names)


def _parent(name: str, seconds: int) -> None:
    end = time.monotonic() + seconds
    while (left := int(end - time.monotonic())) > 0:
        command = [sys.executable, __file__, "--child", name, "--seconds", str(left)]
        done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            log = BUILD / "findings" / name / "died.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a") as file:
                file.write(f"== exit code {done.returncode}\n{done.stderr[-4000:]}\n")
        if not _runs(name):
            print(f"{name}: the process ends before it begins\n{done.stderr[-2000:]}")
            return


def _summary(names: tuple[str, ...]) -> int:
    count = 0
    for name in names:
        found = sorted(
            path for path in (BUILD / "findings" / name).glob("*-*") if path.suffix != ".txt"
        )
        count += len(found)
        runs = _runs(name)
        print(f"{name}: {runs['inputs']:,} inputs, {runs['seconds'] / 60:.0f} minutes, "
              f"{len(found)} findings")  # fmt: skip
        for path in found:
            print(f"  {path}")
    return int(count > 0)


def _runs(name: str) -> dict[str, float]:
    path = BUILD / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else {}


class _Watch:
    """Runs one target over inputs, and keeps what it finds."""

    def __init__(self, name: str) -> None:
        import targets  # noqa: PLC0415 - the parent has no need of it

        self.name, self.run = name, targets.run
        self.findings = BUILD / "findings" / name
        self.findings.mkdir(parents=True, exist_ok=True)
        known = _runs(name)
        self.inputs, self.before = int(known.get("inputs", 0)), known.get("seconds", 0.0)
        self.start = time.monotonic()
        signal.signal(signal.SIGVTALRM, _stop)

    def __call__(self, data: bytes) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        try:
            self.run(self.name, data)
        except (Exception, TooSlowError) as error:  # noqa: BLE001 - whatever it is, it is a finding
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            self._keep(error, data)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        self.inputs += 1
        if self.inputs % 100 == 1:
            self.note()

    def note(self) -> None:
        """Write down how much has been done."""
        done = {"inputs": self.inputs, "seconds": self.before + time.monotonic() - self.start}
        (BUILD / f"{self.name}.json").write_text(json.dumps(done))

    def _keep(self, error: BaseException, data: bytes) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if f"{os.sep}memxc{os.sep}" in frame.filename]
        last = ours[-1] if ours else frames[-1]
        place = f"{type(error).__name__}-{Path(last.filename).stem}-{last.name}-{last.lineno}"
        path = self.findings / place
        if not path.is_file() or len(data) < path.stat().st_size:
            path.write_bytes(data)
            text = "".join(traceback.format_exception(error))
            (self.findings / f"{place}.txt").write_text(text[-6000:], errors="backslashreplace")


def _stop(number: int, frame: object) -> None:
    raise TooSlowError(f"more than {SECONDS} seconds")


def _child(name: str, seconds: int) -> None:
    import atheris  # noqa: PLC0415 - an extra of its own, in the child alone

    sys.path.insert(0, str(HERE))
    with atheris.instrument_imports(include=["memxc"]):
        import mutate  # noqa: PLC0415 - instrumented as it is imported
        import targets  # noqa: F401, PLC0415

    watch = _Watch(name)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, hard))

    def change(data: bytes, most: int, seed: int) -> bytes:
        found = mutate.OF[name](data, seed) if seed % 8 else None
        return found if found and len(found) <= most else atheris.Mutate(data, most)

    corpus = BUILD / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    arguments = [
        sys.argv[0], f"-max_total_time={seconds}", f"-timeout={_HARD_SECONDS}", "-rss_limit_mb=0",
        "-max_len=16384", "-print_final_stats=1", "-verbosity=0", "-report_slow_units=1000",
        f"-artifact_prefix={watch.findings}/process-",
        str(corpus), str(HERE / "corpus" / name),
    ]  # fmt: skip
    atheris.Setup(arguments, watch, custom_mutator=change)
    watch.note()
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
