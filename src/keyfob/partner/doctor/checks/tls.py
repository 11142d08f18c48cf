"""Version, chain and name: what a handshake with each issuer and API shows."""

from urllib.parse import urlsplit

from keyfob.partner.doctor.check import Check, Outcome, failed, passed, unknown, warned, worst
from keyfob.partner.doctor.network import Network, date
from keyfob.partner.doctor.scene import DAY, Scene
from keyfob.problem import Problem

_SOON = 14 * DAY
_NEWEST = "TLSv1.3"


def _look(scene: Scene) -> Outcome:
    network = scene.network
    if network is None:
        return unknown("nothing was sent, as you said")
    urls = (*scene.issuers(), *scene.resources())
    return worst((_judge(network, url, scene.now) for url in urls), otherwise=unknown("there is no credential here"))


def _judge(network: Network, url: str, now: int) -> Outcome:
    host = urlsplit(url).netloc
    try:
        seen = network.get(url)
    except Problem as problem:
        return failed(problem.message, problem.hint)
    ends = "" if seen.certificate_ends_at is None else f", certificate until {date(seen.certificate_ends_at)}"
    said = f"{host}: {seen.tls_version}, chain and name verified{ends}"
    if seen.certificate_ends_at is not None and seen.certificate_ends_at - now < _SOON:
        return warned(said, "tell the operator: the certificate must be renewed")
    # (RFC 9325 §3.1.1) 1.3 is preferred; older than 1.2 is refused by us.
    if seen.tls_version != _NEWEST:
        return warned(said, "tell the operator, or whoever runs the proxy between: TLS 1.3 is not spoken")
    return passed(said)


CHECK = Check("tls", "Without a verified chain and name the secret goes to whoever stands between.", _look)
