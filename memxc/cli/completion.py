"""memxc completion: complete commands and options in a shell."""

from __future__ import annotations

import os
from pathlib import Path

import click  # noqa: TID251

from memxc.cli import _terminal

#: Where each shell finds the completions of a user without any change of its own files.
_PLACES = {
    "bash": ("XDG_DATA_HOME", ".local/share", "bash-completion/completions/memxc"),
    "fish": ("XDG_CONFIG_HOME", ".config", "fish/completions/memxc.fish"),
}


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--install", is_flag=True, help="Write it where the shell looks for it.")
def command(shell: str, install: bool) -> int:
    """Print the script that completes memxc's commands and options in a shell.

    bash needs the package bash-completion to find the installed file, and zsh has no folder of its
    own for it: put the line that is printed into ~/.zshrc.
    """
    from click.shell_completion import get_completion_class  # noqa: TID251

    from memxc.build_folder.write import write_file
    from memxc.cli._main import group

    kind = get_completion_class(shell)
    assert kind is not None, f"click knows {shell}"
    script = kind(group, {}, "memxc", "_MEMXC_COMPLETE").source()
    if not install:
        _terminal.say(script)
        return 0
    if shell == "zsh":
        _terminal.say("Put this line into ~/.zshrc:")
        _terminal.following('eval "$(memxc completion zsh)"')
        return 0
    variable, usual, name = _PLACES[shell]
    base = os.environ.get(variable)
    place = (Path(base) if base else Path.home() / usual) / name
    write_file(place, script.encode())
    _terminal.say(f"Written to {place}")
    _terminal.following(f"open a new {shell}, and press Tab behind memxc")
    return 0
