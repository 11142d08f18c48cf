"""What is granted, and what is not known of its use."""

from keyfob.oauth import scope as scopes
from keyfob.partner.doctor.check import Check, Outcome, unknown
from keyfob.partner.doctor.scene import Scene


def _look(scene: Scene) -> Outcome:
    entries = scene.entries()
    if not entries:
        return unknown("there is no credential here")
    granted = "; ".join(f"{entry.client_id} holds {scopes.write(entry.scope)}" for entry in entries)
    # Tokens are asked for with the least scope, and nothing is written down here about which.
    return unknown(
        f"{granted}. Which of these was not used for 90 days the APIs tell the issuer, and it does not tell partners",
        "ask the operator, who sees it (keyfob-server client usage CLIENT_ID) and can take away what is unused",
    )


CHECK = Check("scopes", "What a client may do and never does helps only whoever steals its secret.", _look)
