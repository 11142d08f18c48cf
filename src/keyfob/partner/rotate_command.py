"""`keyfob rotate`: a new secret or key by the partner alone, and the end of the old one."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyfob.command import Result, progress, shows_result
from keyfob.partner.options import using_options

if TYPE_CHECKING:
    from keyfob.partner.rotating import LivingCredential, Rotation
    from keyfob.partner.upgrading import Retired, Upgrade


@click.command(short_help="Put a new secret in the old one's place, without a failed call.")
@click.option("--finish", is_flag=True, help="End the overlap now: the old secret stops working everywhere.")
@using_options
@shows_result
def rotate(
    *, finish: bool, client: str | None, private_key: Path | None, key_file: Path | None, vault: str | None,
    ca: Path | None,
) -> Result:  # fmt: skip
    """Put a new secret in the old one's place. The issuer seals it to your OpenPGP key; nobody is asked for anything.

    The old secret goes on working for the overlap that the operator has set, so run it for each vault in turn: all get
    the same new secret. What a running program has open is not disturbed.

    A client with a key of its own gets another key, of this vault alone: you and the operator are told first, and it is
    used from the date that is printed. The key before counts until --finish, and some days longer.

    \b
    Example:
      keyfob rotate
      keyfob rotate --finish
    """
    from keyfob.partner import keyed, opening

    if keyed.is_keyed(client, vault):
        if finish:
            return _retired(keyed.retire_keys(client, vault, private_key=private_key, key_file=key_file, ca=ca))
        return _renewed(keyed.renew_key(client, vault, private_key=private_key, key_file=key_file, ca=ca))
    if finish:
        with progress("ending the overlap"):
            ended = opening.finish_rotation(client, vault, private_key=private_key, key_file=key_file, ca=ca)
        return Result({"retired": list(ended)}, f"no longer works: {', '.join(ended)}")
    with progress("rotating"):
        done = opening.rotate(client, vault, private_key=private_key, key_file=key_file, ca=ca)
    document = {
        "client_id": done.client_id,
        "credential_id": done.credential_id,
        "replaced": done.replaced,
        "again": done.again,
        "still_working": [
            {
                "credential_id": one.credential_id,
                "until": one.overlap_ends_at or one.expires_at,
                "last_used_at": one.last_used_at,
                "last_used_from": one.last_used_from,
            }
            for one in done.ending
        ],
    }
    return Result(document, _text(done))


def _renewed(done: "Upgrade") -> Result:
    lines = [
        f"the key {done.key_id} of {done.client_id} is in the vault, and is used from {_time(done.takes_effect_at)}",
        "then, when nothing of yours uses the old one any more: keyfob rotate --finish",
        f"to stop it before: keyfob keys --client {done.client_id} --issuer URL --stop {done.announcement_id}",
    ]
    return Result(dataclasses.asdict(done), "\n".join(lines))


def _retired(done: "Retired") -> Result:
    gone, at = ", ".join(done.retired), _time(done.takes_effect_at)
    return Result(dataclasses.asdict(done), f"gone from here, and good for nothing from {at}: {gone}")


def _text(done: "Rotation") -> str:
    how = "was put into this vault by another program, and works" if done.again else "is in use"
    lines = [f"the new secret {done.credential_id} of {done.client_id} {how}"]
    lines += [_still(one) for one in done.ending]
    if done.ending:
        lines.append("when nothing of yours uses it any more: keyfob rotate --finish")
    return "\n".join(lines)


def _still(one: "LivingCredential") -> str:
    until = one.overlap_ends_at or one.expires_at
    used = "was never used" if one.last_used_at is None else f"was last used {_time(one.last_used_at)}"
    where = f" from {one.last_used_from}" if one.last_used_from else ""
    return f"  {one.credential_id} still works until {_time(until)}, and {used}{where}"


def _time(at: int | None) -> str:
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
