"""No scope that is granted and not used, as the issuer knows it from the APIs."""

from keyfob.partner.doctor.check import Check, Outcome, passed, unknown, warned, worst
from keyfob.partner.doctor.network import date
from keyfob.partner.doctor.scene import Scene
from keyfob.partner.scope_use import GrantedScope, Verdict
from keyfob.problem import Problem

_ASK = "keyfob status --scopes, which asks for what opens the vault"


def _look(scene: Scene) -> Outcome:
    if scene.granted is None:
        return unknown("nothing was sent, as you said")
    judged = (_judge(scene, entry.client_id) for entry in scene.entries())
    return worst(judged, otherwise=unknown("there is no credential here"))


def _judge(scene: Scene, client_id: str) -> Outcome:
    assert scene.granted is not None
    try:
        held = scene.granted(client_id)
    except Problem as problem:
        locked = problem.code in ("no-passphrase", "key-locked")
        return unknown(f"{client_id}: {problem.message}", _ASK if locked else problem.hint)
    told = {verdict: [one for one in held if one.verdict is verdict] for verdict in Verdict}
    if unused := told[Verdict.UNUSED]:
        return warned(
            f"{client_id} has not used {len(unused)} of its {len(held)} scopes for 90 days",
            f"ask the operator to take them away: keyfob-server client narrow {client_id}",
            map(_line, unused),
        )
    if unsure := told[Verdict.UNKNOWN]:
        return unknown(
            f"{client_id}: whether {len(unsure)} of its {len(held)} scopes were used is not known: {unsure[0].why}"
        )
    return passed(f"{client_id} has used each of its {len(held)} scopes within 90 days")


def _line(one: GrantedScope) -> str:
    last = "never used" if one.last_used_at is None else f"last used {date(one.last_used_at)}"
    return f"{one.scope} at {one.resource}: {last}"


CHECK = Check("scopes", "What a client may do and never does helps only whoever steals its secret.", _look)
