"""`keyfob`: the partner's program. Parses, calls, prints; the rules stand in the modules that it calls.

What a command needs is imported when it runs, so that `--help` is there at once.
"""

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from keyfob import ambient, command
from keyfob.command import Result, asking, progress, shows_result
from keyfob.core_dumps import forbid_core_dumps
from keyfob.oauth import scope as scopes
from keyfob.oauth.errors import InvalidScope
from keyfob.partner.broker_command import broker
from keyfob.partner.completion_command import completion
from keyfob.partner.doctor.command import doctor
from keyfob.partner.keys_command import keys
from keyfob.partner.options import FILE, KEYS, ca_option, using_options, vault_option
from keyfob.partner.report_leak_command import report_leak
from keyfob.partner.rotate_command import rotate
from keyfob.partner.run_command import run
from keyfob.partner.scan.command import scan
from keyfob.partner.status_command import status
from keyfob.partner.upgrade_command import upgrade_to_key
from keyfob.partner.vault_commands import vault
from keyfob.problem import Misuse, Problem

if TYPE_CHECKING:
    import httpx2

    from keyfob.openpgp.certificate import Certificate
    from keyfob.partner.calling import Refusal
    from keyfob.partner.opening import Binding
    from keyfob.partner.receive import Receipt
    from keyfob.partner.session import Session

_MAX_INPUT_BYTES = 256 * 1024 * 1024


@command.version_option()
@click.group(context_settings=command.HELP)
def cli() -> None:
    """Use an API that is protected by Keyfob: receive sealed credentials, then call.

    \b
    First:  keyfob receive credentials.asc --operator-fingerprint "7F3A ... 09C1"
    Then:   keyfob call GET https://api.example/v1/studies
    """


def main() -> None:
    """The program."""
    forbid_core_dumps()
    command.run(cli, "keyfob")


cli.add_command(rotate)
cli.add_command(keys)
cli.add_command(broker)
cli.add_command(upgrade_to_key)
cli.add_command(report_leak)
cli.add_command(vault)
cli.add_command(scan)
cli.add_command(doctor)
cli.add_command(status)
cli.add_command(run)
cli.add_command(completion)


@cli.command(short_help="Check a sealed message and keep its credential.")
@click.argument("file", metavar="FILE|URL")
@click.option("--operator-fingerprint", metavar="FPR", help="What the operator told you by another way.")
@click.option("--operator-certificate", type=FILE, help="The operator's certificate.  [default: gpg's, the issuer's]")
@click.option("--private-key", type=FILE, help="Open the message with this OpenPGP key, not with gpg.")
@click.option(
    "--key",
    "keeping",
    metavar=KEYS,
    help="How to keep it: the message as delivered (default), or sealed under a key of one of these kinds.",
)
@click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="KEYFOB_KEY_FILE",
    help="For --key file; who takes it and the vault has the secret.  [default: VAULT.key beside the vault, same disk]",
)
@click.option(
    "--acknowledge/--no-acknowledge", default=True, help="Sign a receipt and send it to the issuer.  [default: yes]"
)
@vault_option
@ca_option
@shows_result
def receive(
    file: str,
    operator_fingerprint: str | None,
    operator_certificate: Path | None,
    private_key: Path | None,
    keeping: str | None,
    key_file: Path | None,
    acknowledge: bool,
    vault: str | None,
    ca: Path | None,
) -> Result:
    """Check the operator's sealed message, in FILE or behind the link URL, and keep the credential in the vault.

    The operator's fingerprint is confirmed once, by another way than the message came; later messages must be
    signed by the same key. Without a terminal, name a --key that works alone. If your key can sign, the issuer is
    told that the message was opened.

    \b
    Example:
      keyfob receive cl_4Kd.asc --operator-fingerprint "7F3A 22B0 ... 09C1"
      keyfob receive cl_4Kd.asc --private-key partner.key.asc --key file
    """
    from keyfob.partner.opening import fetch_message, receive_file
    from keyfob.partner.vault.entries import read_keeping

    chosen, key_name = read_keeping(keeping)
    with progress("receiving"):
        receipt = receive_file(
            fetch_message(file, ca=ca) if "://" in file else _read_input(Path(file), "message"),
            vault=vault,
            keeping=chosen,
            key_name=key_name,
            private_key=private_key,
            key_file=key_file,
            ca=ca,
            certificate=None if operator_certificate is None else operator_certificate.read_bytes(),
            fingerprint=operator_fingerprint,
            confirm=_confirm,
            acknowledging=acknowledge,
        )
    entry = receipt.entry
    document = {
        "client_id": entry.client_id,
        "credential_id": entry.credential_id,
        "issuer": entry.issuer,
        "resource": list(entry.resource),
        "scope": " ".join(sorted(entry.scope)),
        "expires_at": entry.expires_at,
        "operator_fingerprint": entry.signer_fingerprint,
        "key": str(entry.keeping),
        "stored": receipt.place,
        "acknowledged": receipt.not_acknowledged is None,
    }
    return Result(document, _receipt_text(document, receipt, acknowledge=acknowledge))


@cli.command(short_help="Call an API with a token of the least scope.")
@click.argument("method")
@click.argument("url")
@click.option("--data", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True), help="Send this file.")
@click.option("--scope", help="The scope to ask for.  [default: the least that the API's /openapi.json names]")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Add a header; may be repeated.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the body to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
@using_options
def call(
    method: str,
    url: str,
    data: Path | None,
    scope: str | None,
    headers: tuple[str, ...],
    output: Path | None,
    as_json: bool,
    **using: "Path | str | None",
) -> None:
    """Call METHOD at URL with a token of the least scope; the body goes to stdout, the status to stderr.

    Only https://, only the API that the credential is for; redirects are not followed.

    \b
    Example:
      keyfob call GET https://api.example/v1/studies
      keyfob call POST https://api.example/v1/studies/S.1/clinical-data --data visit.xml
    """
    from keyfob.partner import calling, safe_url, target
    from keyfob.partner.session import reaching

    safe_url.check(url)
    sent = calling.read_headers(headers)
    if data is not None:
        sent.setdefault("content-type", calling.content_type(data.name))
    content = None if data is None else _read_input(data, "data")
    wanted = None if scope is None else _scope_text(scope)
    with (
        target.opened(output) as write,
        progress("calling") as progressing,
        _session(url, using) as session,
        session.stream(method.upper(), url, scope=wanted, headers=sent, content=content or b"") as response,
        reaching(url),
    ):
        status, reason, shown = response.status_code, response.reason_phrase, list(response.headers.items())
        refused = calling.refusal(status, reason, shown, _small_body(response))
        if refused is not None or output is None:
            progressing.hide()
        if refused is not None:
            _refuse(refused, calling.document(status, shown, response.read()), response.content, as_json=as_json)
        if as_json and output is None:
            document = calling.document(status, shown, response.read())
        else:
            document = {**calling.head(status, shown), "output": str(output)}
            if not as_json:
                with asking():
                    click.echo(calling.status_line(status, reason, shown), err=True)
            expected = calling.content_length(shown)
            for chunk in response.iter_bytes():
                write(chunk)
                if expected:
                    progressing.reach(response.num_bytes_downloaded / expected)
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))


@cli.command(short_help="Print an access token for another program.")
@click.option("--scope", required=True, help="The scope to ask for, several in one string with spaces.")
@click.option("--resource", metavar="URL", help="The API that the token is for.  [default: the client's first]")
@click.option("--show", is_flag=True, help="Print it also on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
@using_options
def token(scope: str, resource: str | None, show: bool, as_json: bool, **using: "Path | str | None") -> None:
    """Print an access token for another program, to a pipe only; it is valid for minutes and stored nowhere.

    \b
    Example:
      keyfob token --scope "studies:read" | my-program --token-from-stdin
    """
    if sys.stdout.isatty() and not show:
        raise Misuse(
            "terminal", "a token is not shown on a terminal", hint="send it to a program: | ..., or add --show"
        )
    binding = _binding(resource, using)
    with progress("getting a token"):
        held = binding.authorizer.token("GET", binding.authorizer.resource, scopes.parse(_scope_text(scope)))
    assert held is not None
    if as_json:
        document = {
            "access_token": held.access_token.reveal(),
            "token_type": "Bearer",
            "expires_in": max(0, int(held.expires_at - ambient.monotonic())),
            "scope": scopes.write(held.scope),
        }
        click.echo(json.dumps(document))
    else:
        click.echo(held.access_token.reveal())


@cli.command(short_help="Say why the issuer refused a request.")
@click.argument("error_id")
@using_options
@shows_result
def explain(error_id: str, **using: "Path | str | None") -> Result:
    """Say why the issuer refused a request, by the ERROR_ID of the refusal; it is kept for 24 hours.

    The vault's present credential proves who asks. When that one is refused, too, only the operator can tell.

    \b
    Example:
      keyfob explain 5f0c2b9e4d7a41c38f6e0d1b2a3c4d5e
    """
    from keyfob.partner import opening

    client, vault, *paths = (using[name] for name in ("client", "vault", "private_key", "key_file", "ca"))
    private_key, key_file, ca = (None if path is None else Path(path) for path in paths)
    with progress("asking the issuer"):
        told = opening.explain(
            error_id,
            client=None if client is None else str(client),
            vault=None if vault is None else str(vault),
            private_key=private_key,
            key_file=key_file,
            ca=ca,
        )
    lines = [f"{told.reason}: {told.explanation}", *(f"  {name}: {value}" for name, value in told.facts)]
    return Result(told.document, "\n".join([*lines, f"next: {told.next_step}"]))


def _binding(url: str | None, using: "dict[str, Path | str | None]") -> "Binding":
    from keyfob.partner.opening import open_binding

    client, vault, private_key, key_file, ca = (
        using[name] for name in ("client", "vault", "private_key", "key_file", "ca")
    )
    assert client is None or isinstance(client, str)
    assert vault is None or isinstance(vault, str)
    paths = [path if isinstance(path, Path) else None for path in (private_key, key_file, ca)]
    binding = open_binding(
        client,
        vault,
        url=url,
        private_key=paths[0],
        key_file=paths[1],
        ca=paths[2],
        tell=lambda expiring: click.echo(f"keyfob: {expiring}", err=True),
    )
    for path in binding.left_out:
        click.echo(f"keyfob: {path} is damaged and left out: receive the newest message again", err=True)
    return binding


def _session(url: str, using: "dict[str, Path | str | None]") -> "Session":
    from keyfob.partner.session import Session

    binding = _binding(url, using)
    return Session(binding.authorizer, binding.context)


def _read_input(path: Path, what: str) -> bytes:
    """The file's content, or standard input for `-`. Raises Misuse."""
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as file:
            content = file.read(_MAX_INPUT_BYTES + 1)
    except OSError as failed:
        raise Misuse("file-unreadable", f"{path} cannot be read: {failed.strerror}", hint=f"name the {what}") from None
    if len(content) > _MAX_INPUT_BYTES:
        raise Misuse("file-too-large", f"{path} is larger than {_MAX_INPUT_BYTES} bytes", hint=f"name the {what}")
    return content


def _confirm(certificate: "Certificate") -> bool:
    """Ask the person at the terminal to compare the operator's fingerprint; only the whole of it counts."""
    from keyfob.openpgp.certificate import show_fingerprint

    with asking():
        click.echo("The operator's certificate has the fingerprint\n", err=True)
        click.echo(f"  {show_fingerprint(certificate.fingerprint)}\n", err=True)
        click.echo("Compare it with what the operator told you by another way (telephone, contract).", err=True)
        typed = click.prompt(
            "Type it, or its last 8 digits, if all of it is the same", default="", show_default=False, err=True
        )
    return "".join(typed.split()).upper() in (certificate.fingerprint, certificate.fingerprint[-8:])


def _receipt_text(document: "dict[str, object]", receipt: "Receipt", *, acknowledge: bool) -> str:
    done = "received again, as it was already there:" if receipt.again else "received"
    lines = [
        f"{done} the credential {document['credential_id']} of the client {document['client_id']}",
        f"  for     {', '.join(_texts(document['resource']))}",
        f"  scope   {document['scope']}",
        f"  kept    {document['stored']} (key: {document['key']})",
    ]
    lines += [f"  aside   {path}: it was damaged" for path in receipt.aside]
    if receipt.not_acknowledged is None:
        lines.append("  signed  the issuer has your receipt")
    elif acknowledge:
        lines.append(f"  signed  nothing: {receipt.not_acknowledged}")
    if receipt.first:
        lines.append(f"  pinned  {document['issuer']} signs with {document['operator_fingerprint']}")
    if os.name != "posix":
        lines.append("  note    who may read it, the folder's access list decides, which is not looked at here: icacls")
    lines.append(f"try: keyfob call GET {_texts(document['resource'])[0]}/...")
    return "\n".join(lines)


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _scope_text(text: str) -> str:
    """A scope as the person wrote it. Raises Misuse when it is malformed."""
    try:
        return scopes.write(scopes.parse(text))
    except InvalidScope as refused:
        raise Misuse(
            "bad-scope", f"--scope: {refused.description}", hint='for example --scope "a:read b:read"'
        ) from None


def _small_body(response: "httpx2.Response") -> bytes:
    """The body of a refusal, which says why; that of a success is left to be streamed."""
    return response.read() if response.status_code >= 300 else b""


def _refuse(refused: "Refusal", document: "dict[str, object]", body: bytes, *, as_json: bool) -> NoReturn:
    """Raises Problem. The body goes to stdout, never to --output, and not to a person who is told all of it anyway."""
    from keyfob.partner import target

    if not as_json and not (refused.told and sys.stdout.isatty()):
        with target.opened(None) as write:
            write(body)
    raise Problem(refused.code, refused.message, hint=refused.hint, more=document)
