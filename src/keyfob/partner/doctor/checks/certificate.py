"""When the OpenPGP certificate ends that the next secret will be sealed to."""

from collections.abc import Iterator
from pathlib import Path

from keyfob.openpgp import certificate, keys
from keyfob.openpgp.certificate import CertificateProblem
from keyfob.openpgp.unseal import gpg_export
from keyfob.partner.doctor.check import Check, Outcome, failed, passed, unknown, warned, worst
from keyfob.partner.doctor.network import date
from keyfob.partner.doctor.scene import DAY, Scene
from keyfob.partner.vault.entries import Entry, Keeping
from keyfob.problem import Problem
from keyfob.secret import Secret

_SOON = 7 * DAY


def _look(scene: Scene) -> Outcome:
    return worst(_outcomes(scene), otherwise=unknown("there is no credential here"))


def _outcomes(scene: Scene) -> Iterator[Outcome]:
    seen = set()
    for entry in scene.entries():
        if entry.recipient_fingerprint not in seen:
            seen.add(entry.recipient_fingerprint)
            yield _judge(entry, scene.now)


def _judge(entry: Entry, now: int) -> Outcome:
    fingerprint = entry.recipient_fingerprint
    said = f"your certificate {fingerprint[-16:]}"
    mend = f"gpg --quick-set-expire {fingerprint} 1m, the same with '*' at the end, then send it to the operator"
    content = _find(entry)
    if content is None:
        return unknown(
            f"{said} is neither in gpg's keyring nor in a private key that the vault names", "gpg --list-keys"
        )
    try:
        ends_at = certificate.ends_at(content)
    except CertificateProblem as problem:
        return failed(f"{said} cannot be sealed to: {problem.message}", problem.hint)
    if ends_at is None:
        return warned(f"{said} never expires: a lost key would be believed for ever", mend)
    if ends_at <= now:
        return failed(f"{said} expired {date(ends_at)}: no new secret can be sealed to it", mend)
    if ends_at - now < _SOON:
        return warned(f"{said} expires {date(ends_at)}", mend)
    return passed(f"{said} is good until {date(ends_at)}")


def _find(entry: Entry) -> bytes | None:
    if entry.keeping is Keeping.MESSAGE and entry.opened_with is not None:
        try:
            own = keys.certificate_of(Secret(Path(entry.opened_with).read_bytes()))
        except (OSError, Problem, ValueError):
            return None
        return own.armored if own.fingerprint == entry.recipient_fingerprint else None
    return gpg_export(entry.recipient_fingerprint)


CHECK = Check("certificate", "To a certificate that has ended nothing can be sealed, and so nothing rotated.", _look)
