"""`keyfob broker`: one process that asks for tokens, for all programs of this user on this host."""

import signal
import threading
from pathlib import Path

import click

from keyfob.partner.options import using_options


@click.command(short_help="Hold tokens for all programs of this user on this host.")
@click.option(
    "--socket",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="KEYFOB_BROKER",
    show_envvar=True,
    required=True,
    help="Where it listens: a path in a folder of your own (0700).",
)
@using_options
def broker(
    *, path: Path, client: str | None, private_key: Path | None, key_file: Path | None, vault: str | None,
    ca: Path | None,
) -> None:  # fmt: skip
    """Hold tokens for all programs of this user on this host: a hundred of them ask for one token, not for a hundred.
    Programs that find KEYFOB_BROKER in their environment ask it, and never open the secret themselves.

    It prints one line, "ready PATH", and runs until it is told to end. Nobody else is answered, root neither.

    \b
    Example:
      keyfob broker --socket "$XDG_RUNTIME_DIR/keyfob/broker.sock"
    """
    from keyfob.partner import opening
    from keyfob.partner.broker import peer

    peer.check_possible()
    from keyfob.partner.broker.serving import Tokens, serving
    from keyfob.partner.token_source import TokenSource
    from keyfob.partner.vault.entries import Entry

    def opened(client_id: str) -> tuple[TokenSource, Entry]:
        binding = opening.open_binding(
            client or client_id, vault, private_key=private_key, key_file=key_file, ca=ca, broker=False, dpop=None
        )
        return binding.authorizer.source, binding.entry

    with serving(path, Tokens(opened)) as server:
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        click.echo(f"ready {path}")
        ended.wait()
        server.shutdown()
