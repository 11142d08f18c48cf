"""Every scope at every route that a process serves, in both encodings of its path, study and site in and out."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import product

from cdms.conftest import Api
from keyfob.cdms.routes import ROUTES, SCOPES, Route

_Answer = tuple[int, dict[str, str], bytes]
STUDY, HERE, ELSEWHERE = "KF.DEMO", "701", "702"
GRANTS = tuple(product((STUDY, "OTHER"), (HERE, ELSEWHERE)))
"""The study and the site in and out of the grant."""
_ODM = f"""<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileType="Snapshot" FileOID="f" ODMVersion="1.3.2"
 CreationDateTime="2026-01-01T00:00:00Z"><ClinicalData StudyOID="{STUDY}" MetaDataVersionOID="MDV.1"/></ODM>""".encode()
_PAIN = {"items": [{"oid": "I.PAIN", "value": "3"}], "reason": "as before"}


@dataclass(frozen=True)
class Probe:
    """A request that changes nothing, and the status that shows that it was admitted.

    `elsewhere`: the status for who is granted another site; `limited`: for who is limited to the right one.
    """

    admitted: int = 200
    elsewhere: int = 404
    limited: int | None = None
    body: bytes | object = b""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)


_XML = {"content-type": "application/xml"}
_IN_STUDY = Probe(elsewhere=200)


def probes(design: bytes, key: str) -> dict[str, Probe]:
    """By method and the end of the template; a GET that is not here is one of a subject, a site or a study."""
    return {
        "GET /studies": _IN_STUDY,
        "GET {study}": _IN_STUDY,
        "GET /sites": _IN_STUDY,
        "GET /metadata": _IN_STUDY,
        "GET {version}": _IN_STUDY,
        "GET /subjects": _IN_STUDY,
        "GET {study}/clinical-data": _IN_STUDY,
        "GET /changes": Probe(elsewhere=200, query="?limit=1000"),
        "GET /audit": Probe(elsewhere=200, query="?limit=1000"),
        "GET /datasets": _IN_STUDY,
        "GET {dataset}": _IN_STUDY,
        "GET {batch}": _IN_STUDY,
        "PATCH {dataset}": Probe(elsewhere=200, query="?dry_run=true", body={"rows": []}),
        "GET {group}": Probe(query="?erk=1"),
        "PUT {version}": Probe(limited=403, elsewhere=403, body=design, headers=_XML),
        "POST /subjects": Probe(admitted=409, elsewhere=422, body={"key": key, "site": HERE}),
        "POST /lookup": Probe(body={"key": key}),
        "PATCH {subject_id}": Probe(admitted=428, body={"status": "enrolled", "reason": "none"}),
        "PUT {group}": Probe(admitted=428, query="?erk=1", body=_PAIN),
        "DELETE {group}": Probe(admitted=428, query="?erk=1", headers={"keyfob-reason": "none"}),
        "POST /clinical-data": Probe(elsewhere=200, query="?dry_run=true", body=_ODM, headers=_XML),
    }


class Matrix:
    """Of an API with one subject here and one elsewhere. `check` raises AssertionError at the first wrong answer."""

    def __init__(self, api: Api, design: bytes) -> None:
        self._api = api
        listed = api.get(f"/v1/studies/{STUDY}/subjects").document["items"]
        self._subjects = {one["site"]: one for one in listed}
        sent = api.request("PATCH", f"/v1/studies/{STUDY}/datasets/IG.LB", {"rows": []})
        self._batch = sent.document["batch"]
        self._probes = probes(design, self._subjects[HERE]["key"])
        self._connection = api.connect()
        self._tokens: dict[str, str] = {}
        self.asked = 0

    def served(self) -> list[Route]:
        """The table's entry of each route that the running router has: see cdms.mutants."""
        self._connection.request("GET", "/router")
        walked = {tuple(one) for one in json.loads(self._connection.getresponse().read())}
        told = {(route.method, route.template, route.scope): route for route in ROUTES}
        assert walked == set(told), f"behind the table's back: {walked ^ set(told)}"
        return [told[one] for one in walked]

    def check(self, *, others: Iterable[str] = tuple(SCOPES)) -> None:
        """`others`: the scopes that are tried where another is needed."""
        for route in self.served():
            if route.scope is None:
                assert self._ask(route, self._path(route), Probe(), None)[0] == 200, route
                continue
            for encoded in (False, True):
                anonymous = self._ask(route, self._path(route, encoded=encoded), self._probe(route), None)
                assert anonymous[0] == 401, route
                self._check(route, route.scope, STUDY, None, encoded)
                for scope, (study, site) in product({route.scope, *others}, GRANTS):
                    self._check(route, scope, study, site, encoded)
            for slash in ("%2F", "%2f", "%5C"):
                before, _, last = self._path(route).rpartition("/")
                token = self._token(route.scope, STUDY, None)
                assert self._ask(route, f"{before}{slash}{last}", Probe(), token)[0] == 400, route

    def close(self) -> None:
        self._connection.close()

    def _check(self, route: Route, scope: str, study: str, site: str | None, encoded: bool) -> None:
        probe, path = self._probe(route), self._path(route, encoded=encoded)
        token = self._token(scope, study, site)
        status, headers, body = self._ask(route, path, probe, token)
        told = f"{route.method} {route.template} with {scope} of {study} at {site}: {status} {body[:300]!r}"
        if scope != route.scope and scope not in route.other_scopes:
            assert status == 403, told
            assert f'scope="{route.scope}"' in headers["www-authenticate"], told
        elif study != STUDY and "{study}" in route.template:
            assert status == 404, told
            self._check_absent(route, (path, probe, token), probe, study="NONE")
        elif study != STUDY and "{batch}" in route.template:
            self._check_absent(route, (path, probe, token), probe, batch="bat_none")
        elif study != STUDY:
            assert (status, json.loads(body)["items"]) == (200, []), told
        else:
            assert status == {
                None: probe.admitted, HERE: probe.limited or probe.admitted, ELSEWHERE: probe.elsewhere
            }[site], told  # fmt: skip
            here, elsewhere = (self._subjects[one]["subject_id"].encode() in body for one in (HERE, ELSEWHERE))
            if status == 404:
                nobody = replace(probe, body={"key": "nobody"}) if route.template.endswith("/lookup") else probe
                self._check_absent(route, (path, probe, token), nobody, subject_id="sub_none", site="999")
            # Each is shown only to those who reach its site.
            assert not (here and site == ELSEWHERE) and not (elsewhere and site == HERE), told

    def _check_absent(self, route: Route, refused: tuple[str, Probe, str], unknown: Probe, **names: str) -> None:
        """Who is granted everything gets the same answer for what there is not, to the byte, however he asks."""
        path, probe, token = refused
        absent, whole = self._path(route, **names), self._token(route.scope or "", "*", None)
        ways = [(route.method, {}), ("HEAD", {}), ("GET", {"if-none-match": "*"}), ("OPTIONS", {})]
        for method, more in ways if route.method == "GET" else ways[:1]:
            asked = replace(route, method=method)
            one = self._ask(asked, path, replace(probe, headers=probe.headers | more), token)
            other = self._ask(asked, absent, replace(unknown, headers=unknown.headers | more), whole)
            assert _nameless(one) == _nameless(other), f"{method} {route.template}: {one}, but of what is not {other}"
            assert one[0] == 405 if method == "OPTIONS" else one[0] == 404, one

    def _probe(self, route: Route) -> Probe:
        ends = (f"{route.method} {route.template[place:]}" for place in range(len(route.template)))
        found = next((self._probes[end] for end in ends if end in self._probes), None)
        assert found is not None or route.method == "GET", f"{route.method} {route.template} needs a probe"
        return found or Probe()

    def _token(self, scope: str, study: str, site: str | None) -> str:
        name = f"{scope} {study} {site}"
        if name not in self._tokens:
            limits = {} if site is None else {"sites": [site]}
            details = [{"type": "cdms_study", "identifier": study, **limits}]
            self._tokens[name] = self._api.token(scope, details)
        return self._tokens[name]

    def _path(self, route: Route, *, encoded: bool = False, **changed: str) -> str:
        known = {
            "study": STUDY, "site": HERE, "version": "MDV.1", "subject_id": self._subjects[HERE]["subject_id"],
            "event": "SE.VISIT", "form": "F.DIARY", "group": "IG.DIARY", "dataset": "IG.LB", "batch": self._batch,
            **changed,
        }  # fmt: skip

        def value(name: "re.Match[str]") -> str:
            text = known[name.group(1)]
            return "".join(f"%{byte:02X}" for byte in text.encode()) if encoded else text

        return re.sub(r"\{(\w+)\}", value, route.template)

    def _ask(self, route: Route, path: str, probe: Probe, token: str | None) -> _Answer:
        headers = dict(probe.headers)
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        body = probe.body
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        self._connection.request(route.method, path + probe.query, body, headers)
        response = self._connection.getresponse()
        self.asked += 1
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


_OWN = frozenset({"date", "keyfob-request-id", "ratelimit"})


def _nameless(answer: _Answer) -> tuple[int, dict[str, str], bytes]:
    """An answer without what is its own in each."""
    status, headers, body = answer
    request_id = headers["keyfob-request-id"].encode()
    shared = {name: "" if name in _OWN else value for name, value in headers.items()}
    return status, shared, body.replace(request_id, b"ID")
