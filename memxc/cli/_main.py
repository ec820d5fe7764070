"""The group of commands. Only this module turns exceptions into messages and exit codes."""

from __future__ import annotations

import importlib
import io
import json
import os
import pkgutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Never

import click  # noqa: TID251

from memxc import __version__, plugins
from memxc.cli import _stop, _terminal
from memxc.errors import MemxcError, like, printable, why

_OURS = 70
#: Commands that write their output at their end, as a whole or not at all.
_WRITERS = ("compile", "twin")
_BLAS_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class _Commands(click.Group):
    """Finds commands by file name: `memxc show` is `command` of memxc/cli/show.py."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        folder = str(Path(__file__).parent)
        return sorted(m.name for m in pkgutil.iter_modules([folder]) if m.name[0] != "_")

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"memxc.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        names = self.list_commands(ctx)
        near = like(args[0].lower(), names)
        if near and args[0] not in names and args[0][0] != "-":
            ctx.fail(f"No such command {args[0]!r}. {near[0].upper()}{near[1:]}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with whole sentences, because click cuts them off."""
        names = self.list_commands(ctx)
        commands = [(name, self.get_command(ctx, name)) for name in names]
        with formatter.section("Commands"):
            formatter.write_dl([(n, c.get_short_help_str(200)) for n, c in commands if c])


@click.command(cls=_Commands, epilog="Start with: memxc check MODEL.onnx")
@click.version_option(__version__, prog_name="memxc")
def group() -> None:
    """Compile trained ONNX networks to memristor-crossbar circuits, and check them in SPICE."""


def main(args: Sequence[str] | None = None) -> Never:
    """Run one command and end the process with its exit code."""
    arguments = list(sys.argv[1:] if args is None else args)
    # This has to come before numpy is imported. With one thread, sums have the same order on any
    # number of cores, and small matrices are multiplied faster.
    os.environ |= dict.fromkeys(_BLAS_THREADS, "1")
    _terminal.prepare()
    try:
        _stop.listen()
        code = _flushed(lambda: _run(arguments))
    except KeyboardInterrupt as error:  # just before the command began, or just after its end
        code = _stop.code(error)
    sys.exit(_stop.asked or code)


def _run(arguments: list[str]) -> int:
    """Run one command line, print a message for any exception, and return the exit code."""
    as_json = "--json" in arguments
    unwritten = "; nothing was written" if arguments[:1] and arguments[0] in _WRITERS else ""
    _stop.left = unwritten
    _terminal.begin()
    try:
        result = group.main(arguments, prog_name="memxc", standalone_mode=False)
        return int(result or 0)
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        _terminal.warn(text.getvalue().rstrip("\n"))
        if as_json:
            _print_faults([("usage", "", error.format_message(), "")], error.exit_code)
        return error.exit_code
    except MemxcError as error:
        _terminal.faults(error, unwritten)
        if as_json:
            rows = [(f.code, f.where, f.what, f.hint) for f in error.faults]
            _print_faults(rows, error.exit_code)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        _terminal.warn(_stop.words())
        return _stop.code(error)
    except _terminal.StdoutError:
        raise
    except BrokenPipeError as error:
        raise _terminal.StdoutError from error
    except Exception as error:  # noqa: BLE001 - only here
        where = _own_fault(error, arguments, unwritten)
        if as_json:
            _print_faults([("own-fault", "memxc", str(error), where)], _OURS)
        return _OURS
    finally:
        _terminal.warn_left_out()


def _flushed(run: Callable[[], int]) -> int:
    """Run, and make sure that the output was written. A reader that has gone is not an error."""
    try:
        code = run()
        _terminal.flush()
    except _terminal.StdoutError as unwritten:
        # The interpreter flushes again at its end, and would report the error once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        cause = unwritten.__cause__
        if isinstance(cause, BrokenPipeError):
            return 128 + signal.SIGPIPE
        assert isinstance(cause, OSError), "nothing else is a StdoutError"
        _terminal.warn(f"error[cannot-write] standard output: {why(cause)}")
        return 5
    return code


def _print_faults(rows: list[tuple[str, str, str, str]], code: int) -> None:
    faults = [dict(zip(("code", "where", "what", "hint"), row, strict=True)) for row in rows]
    _terminal.say(json.dumps({"schema": "memxc-faults/1", "exit_code": code, "faults": faults}))


def _own_fault(error: Exception, arguments: list[str], unwritten: str) -> str:
    """Print a short message about an error in memxc itself, and return where the details are."""
    from memxc.cli import _fault

    details = _fault.write(error, arguments)
    summary = printable(f"{type(error).__name__}: {error}".rstrip(": "))
    plugin = plugins.blamed(error)
    if plugin is not None:
        _terminal.warn(f"the plug-in {plugin} has failed{unwritten}: {summary}")
        _terminal.warn(f"{details[0].upper()}{details[1:]}. Please report it to its authors.")
        return details
    _terminal.warn(f"memxc has failed because of an error in memxc itself{unwritten}: {summary}")
    _terminal.warn(
        f"{details[0].upper()}{details[1:]}. Please report it with that file. It has versions, "
        "the command, and the sizes and hashes of the command's files. It has the files themselves "
        f"only if you put {_fault.WITH_FILES}=1 before the command."
    )
    return details
