"""No proxy that takes headers away, and which proxies there are."""

import re
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

from keyfob.partner import minimal_scope
from keyfob.partner.doctor.check import Check, Outcome, failed, passed, unknown, warned, worst
from keyfob.partner.doctor.network import Network
from keyfob.partner.doctor.scene import Scene
from keyfob.problem import Problem

_REQUEST_ID = "keyfob-request-id"
_ERROR = re.compile(r'\berror="?invalid_token\b')


def _look(scene: Scene) -> Outcome:
    network = scene.network
    if network is None:
        return unknown("nothing was sent, as you said")
    return worst(_outcomes(scene, network), otherwise=unknown("there is no credential here"))


def _outcomes(scene: Scene, network: Network) -> Iterator[Outcome]:
    for issuer in scene.issuers():
        yield _kept(network, issuer)
    for resource in scene.resources():
        yield _arrives(network, resource)


def _kept(network: Network, issuer: str) -> Outcome:
    """Each answer of an issuer carries an id: where there is none, something between has taken it away."""
    by = _by(issuer)
    try:
        seen = network.get(issuer)
    except Problem as problem:
        return unknown(problem.message, problem.hint)
    if _REQUEST_ID not in seen.headers:
        return warned(
            f"{urlsplit(issuer).netloc} answers without its Keyfob-Request-Id, {by}",
            "ask whoever runs the proxy between to let headers through, Retry-After and WWW-Authenticate above all",
        )
    return passed(f"{urlsplit(issuer).netloc} answers with its headers, {by}")


def _arrives(network: Network, resource: str) -> Outcome:
    """RFC 6750 §3.1: a request without a token gets a challenge without an error code, so that the two differ."""
    host, by = urlsplit(resource).netloc, _by(resource)
    try:
        described = network.get(f"{resource}/openapi.json")
        description = minimal_scope.read(described.body, resource=resource) if described.status == 200 else None
        url = None if description is None else _guarded(description, resource)
        seen = None if url is None else network.get(url, with_no_token=True)
    except Problem as problem:
        return unknown(problem.message, problem.hint)
    if seen is None:
        return unknown(f"{host} describes no call without parameters that needs a token, so none was tried, {by}")
    challenge = seen.headers.get("www-authenticate", "")
    if seen.status != 401:
        return unknown(f"{host} answers HTTP {seen.status} where a wrong token should be refused, {by}")
    if not _ERROR.search(challenge):
        return failed(
            f"the Authorization header does not reach {host}, or its WWW-Authenticate does not come back, {by}",
            "ask whoever runs the proxy between to let both through, or set NO_PROXY",
        )
    return passed(f"Authorization reaches {host}, {by}")


def _guarded(description: minimal_scope.Description, resource: str) -> str | None:
    for operation in description.operations:
        needs_token = bool(operation.alternatives) and None not in operation.alternatives
        if operation.method.upper() == "GET" and "{" not in operation.template and needs_token:
            origin = urlsplit(resource)
            return f"{origin.scheme}://{origin.netloc}{operation.template}"
    return None


def _by(url: str) -> str:
    """By which proxy: its host, since a URL may hold a password."""
    host = urlsplit(url).hostname or ""
    proxy = urllib.request.getproxies().get("https")
    if not proxy or urllib.request.proxy_bypass(host):
        return "by no proxy of the environment"
    return f"by the proxy {urlsplit(proxy).hostname or 'of the environment'}"


CHECK = Check("proxies", "A proxy that takes Authorization or WWW-Authenticate away makes good tokens fail.", _look)
