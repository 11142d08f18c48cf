"""One request as a handler sees it: admitted, matched, read; and the small questions that every handler asks."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from keyfob.ambient import Entropy
from keyfob.cdms.problems import ApiProblem, not_found
from keyfob.cdms.settings import Settings
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Actor, Study, Subject
from keyfob.cdms.storage.store import Store
from keyfob.cdms.storage.writing import Writing
from keyfob.oauth import authorization_details, strict_json
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.wire import Headers, Response, values

IDENTIFIERS = "identifiers:read"
MAX_REASON = 500
_MAX_NAME = 128


@dataclass(frozen=True, slots=True)
class Stream:
    """A response whose body comes piece by piece; a failure under way breaks the connection.

    `end` is called in any case, after the last piece that was asked for: it gives back what the pieces came from.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    chunks: Iterator[bytes]
    end: Callable[[], None]


Answer = Response | Stream


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the application gives to every call."""

    store: Store
    settings: Settings
    entropy: Entropy
    resource_document: bytes
    openapi_document: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """`token` has the scope of the route; None only on public routes. `params` are the path's, decoded."""

    surroundings: Surroundings
    token: AccessToken | None
    scope: str | None
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Headers
    body: bytes
    now: int
    operation: str = ""
    """The method and the template of the route."""
    is_head: bool = False
    used: set[str] = field(default_factory=set)
    """Scopes besides the route's that were asked for and held: what an API tells of its use."""

    @property
    def store(self) -> Store:
        return self.surroundings.store

    @property
    def granted(self) -> AccessToken:
        assert self.token is not None  # the application admits nobody to a guarded route without one
        return self.token

    @property
    def actor(self) -> Actor:
        operator = self.text_header(b"keyfob-operator", longest=_MAX_NAME)
        return Actor(self.granted.client_id, self.granted.jti, operator)

    def header(self, name: bytes) -> str | None:
        """A header that may stand once. Raises ApiProblem when it is repeated or no ASCII."""
        found = values(self.headers, name)
        if len(found) > 1 or any(not value.isascii() for value in found):
            raise ApiProblem(400, "bad-header", f"the header {name.decode()} is repeated or malformed")
        return found[0].decode("ascii").strip() if found else None

    def text_header(self, name: bytes, *, longest: int) -> str | None:
        """A header of ours that holds words, in UTF-8; None when it is not there or blank. Raises ApiProblem."""
        found = values(self.headers, name)
        if not found:
            return None
        try:
            text = found[0].decode("utf-8").strip()
        except UnicodeDecodeError:
            text = "\0"
        if len(found) > 1 or len(text) > longest or not text.isprintable():
            raise ApiProblem(400, "bad-header", f"{name.decode()} is once, in UTF-8, at most {longest} characters")
        return text or None

    def reason(self) -> str | None:
        """Why something is done, where the body has no place for it."""
        return self.text_header(b"keyfob-reason", longest=MAX_REASON)

    @property
    def asked(self) -> str:
        """What tells whether the same was asked twice."""
        named = json.dumps([self.operation, dict(self.params), sorted(self.query.items())])
        return fingerprint(named.encode(), (self.reason() or "").encode(), self.body)

    def json(self) -> dict[str, object]:
        """The body as a JSON object, read strictly. Raises ApiProblem."""
        kind = (self.header(b"content-type") or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise ApiProblem(415, "unsupported-media-type", "the body must be application/json")
        try:
            document = strict_json.parse(self.body)
        except strict_json.NotText as broken:
            raise ApiProblem(422, "bad-character", f"the body cannot be stored: {broken}") from None
        except ValueError as broken:
            raise ApiProblem(400, "not-json", f"the body cannot be read: {broken}") from None
        if not isinstance(document, dict):
            raise ApiProblem(422, "not-an-object", "the body must be a JSON object")
        return document

    def study(self, reading: Reading) -> Study:
        """The study of the path, if it is granted for this scope. Raises the one 404."""
        study = reading.find_study(path_key=self.params["study"])
        if study is None or not self.permits(study.oid):
            raise not_found()
        return study

    def study_to_change(self, writing: Writing) -> Study:
        """As `study`, and to the end of the transaction nobody else changes it. Raises the one 404."""
        # Granted first: a stranger must not feel by waiting that somebody writes there.
        study = writing.take(self.study(writing.reading).oid)
        if study is None:
            raise not_found()
        return study

    def permits(self, study: str) -> bool:
        assert self.scope is not None
        return authorization_details.permits(self.granted.authorization_details, study=study, scope=self.scope)

    def holds(self, scope: str, study: str, site: str | None, *, form: str | None = None) -> bool:
        """Whether the token has `scope`, and one element alone allows it at this site (None: of no site) and form."""
        # The empty name is no site's: a subject without a site is in no list of sites.
        held = scope in self.granted.scope and authorization_details.permits(
            self.granted.authorization_details, study=study, scope=scope, site=site or "", form=form
        )
        if held:
            self.used.add(scope)
        return held

    def reaches_form(self, study: str, form: str) -> bool:
        """Whether the token reaches this form for the scope of the route at any site."""
        assert self.scope is not None
        details = self.granted.authorization_details
        return authorization_details.permits(details, study=study, scope=self.scope, form=form)

    def holds_whole(self, study: str) -> bool:
        """Whether one element alone allows the scope of the route in all of the study, limited to no site or form."""
        assert self.scope is not None
        details = self.granted.authorization_details
        # The empty name is no site's and no form's: an element that has a list of them does not have it in it.
        return authorization_details.permits(details, study=study, scope=self.scope, site="", form="")

    def sites(self, study: str) -> frozenset[str] | None:
        """The sites that the token reaches in the study: None for all, and then also subjects without a site."""
        assert self.scope is not None
        return authorization_details.sites_of(self.granted.authorization_details, study=study, scope=self.scope)

    def forms(self, study: str) -> frozenset[str] | None:
        """The forms that the token reaches in the study at any site: None for all."""
        assert self.scope is not None
        return authorization_details.forms_of(self.granted.authorization_details, study=study, scope=self.scope)

    def studies(self) -> frozenset[str] | None:
        """The studies that the token reaches, by OID: None for all."""
        assert self.scope is not None
        return authorization_details.studies_of(self.granted.authorization_details, scope=self.scope)

    def reaches(self, subject: Subject, *, form: str | None = None) -> bool:
        """Whether the token reaches this subject (and form) for the scope of the route."""
        assert self.scope is not None
        return self.holds(self.scope, subject.study, subject.site, form=form)

    def identifies(self, subject: Subject, *, form: str) -> bool:
        """Whether the items of this subject and form that identify a person may be shown, too."""
        return self.holds(IDENTIFIERS, subject.study, subject.site, form=form)

    def subject(self, reading: Reading, study: Study) -> Subject:
        """The subject of the path. Raises the one 404."""
        subject = reading.find_subject(study.oid, subject_id=self.params["subject_id"])
        if subject is None or not self.reaches(subject):
            raise not_found()
        return subject


def read_query(query_string: bytes, allowed: frozenset[str]) -> dict[str, str]:
    """The query parameters. Raises ApiProblem for a repeated, unknown or malformed one."""
    if not query_string:
        return {}
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=32,
            errors="strict",
        )
    except ValueError:
        raise ApiProblem(400, "bad-query", "the query cannot be read") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ApiProblem(400, "bad-query", "a query parameter is repeated")
    if any("\0" in value for value in found.values()):
        raise ApiProblem(400, "bad-query", "a query parameter holds what no database keeps")
    if not set(found) <= allowed:
        known = ", ".join(sorted(allowed)) or "none"
        raise ApiProblem(400, "bad-query", f"a query parameter is unknown here; known: {known}")
    return found


def fingerprint(*parts: bytes) -> str:
    """What tells whether the same was asked twice."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
