"""No redirect where a credential or a token is sent."""

from urllib.parse import urlsplit

from keyfob.partner.doctor.check import Check, Outcome, failed, passed, unknown, worst
from keyfob.partner.doctor.network import Network
from keyfob.partner.doctor.scene import Scene
from keyfob.partner.scan.finding import shown
from keyfob.problem import Problem


def _look(scene: Scene) -> Outcome:
    network = scene.network
    if network is None:
        return unknown("nothing was sent, as you said")
    urls = dict.fromkeys((*(entry.token_endpoint for entry in scene.entries()), *scene.resources()))
    return worst((_judge(network, url) for url in urls), otherwise=unknown("there is no credential here"))


def _judge(network: Network, url: str) -> Outcome:
    try:
        seen = network.get(url)
    except Problem as problem:
        return unknown(problem.message, problem.hint)
    if 300 <= seen.status < 400:
        where = urlsplit(seen.headers.get("location", ""))
        target = shown(f"{where.scheme}://{where.netloc}{where.path}" if where.netloc else where.path or "nowhere")
        return failed(
            f"{url} redirects to {target}: it is not followed, so that no credential goes there",
            "ask the operator for the right address, or whoever runs the proxy between to let it through",
        )
    return passed(f"{url} answers by itself (HTTP {seen.status})")


CHECK = Check(
    "redirects", "Who can redirect a request for a token, or one with a token, can have it sent to himself.", _look
)
