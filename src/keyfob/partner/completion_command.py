"""`keyfob completion`: what a shell needs to complete our commands and options."""

import click
from click.shell_completion import get_completion_class

from keyfob.command import Result, shows_result

_SHELLS = ("bash", "zsh", "fish")


@click.command(short_help="Print what lets a shell complete keyfob's commands.")
@click.argument("shell", type=click.Choice(_SHELLS))
@shows_result
def completion(*, shell: str) -> Result:
    """Print a script that lets SHELL complete the commands and options of keyfob.

    \b
    Example:
      keyfob completion bash > ~/.local/share/bash-completion/completions/keyfob
      keyfob completion zsh > ~/.zfunc/_keyfob
      keyfob completion fish > ~/.config/fish/completions/keyfob.fish
    """
    program = click.get_current_context().find_root().command
    kind = get_completion_class(shell)
    assert kind is not None
    text = kind(program, {}, "keyfob", "_KEYFOB_COMPLETE").source()
    return Result({"shell": shell, "text": text}, text.strip("\n"))
