"""This machine's clock, by the issuers' and APIs' `Date`."""

from urllib.parse import urlsplit

from keyfob.oauth.access_token import LEEWAY
from keyfob.partner.doctor.check import Check, Outcome, failed, passed, unknown, warned, worst
from keyfob.partner.doctor.network import Network
from keyfob.partner.doctor.scene import Scene
from keyfob.problem import Problem

_TOLD = 5
_MEND = "timedatectl set-ntp true"


def _look(scene: Scene) -> Outcome:
    network = scene.network
    if network is None:
        return unknown("nothing was sent, as you said")
    urls = (*scene.issuers(), *scene.resources())
    return worst((_judge(network, url) for url in urls), otherwise=unknown("there is no credential here"))


def _judge(network: Network, url: str) -> Outcome:
    host = urlsplit(url).netloc
    try:
        seen = network.get(url)
    except Problem as problem:
        return unknown(problem.message, problem.hint)
    if seen.date is None:
        return unknown(f"{host} tells no date")
    # Whole seconds are told: the answer was made between asking and hearing, less a second.
    ahead = max(seen.asked_at - (seen.date + 1), 0) - max(seen.date - seen.answered_at, 0)
    if abs(ahead) < _TOLD:
        return passed(f"less than {_TOLD} s from that of {host}")
    said = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} that of {host}"
    # (RFC 7519 §4.1.4) what is dated more than the leeway from another's clock is refused there.
    return (failed if abs(ahead) >= LEEWAY else warned)(said, _MEND)


CHECK = Check(
    "clock", "Signed requests and tokens carry dates: with a wrong clock they are refused, or renewed too late.", _look
)
