"""The declared state: which partners and clients there are to be, as a file says it that people review.

A tree of plain values, as TOML and JSON give it, and the files that it names beside it. Everything that can be said
without the database is checked here, and every mistake is told with its place. No secret has a place in it.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from keyfob.oauth import authorization_details, mutual_tls
from keyfob.oauth import scope as scopes
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.mutual_tls import InvalidMetadata, SubjectField
from keyfob.oauth.scope import Scope
from keyfob.problem import Misuse, Problem
from keyfob.server.lifecycle import clients, studies
from keyfob.server.lifecycle.clients import Application
from keyfob.server.lifecycle.names import check_email, check_name
from keyfob.server.storage.records import Profile, State
from keyfob.settings import Fault

T = TypeVar("T")

VERSION = 1
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_TEXTS: dict[str, Any] = {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": True}
_FLAG: dict[str, Any] = {"type": "boolean"}
_STATE: dict[str, Any] = {"enum": [State.ACTIVE.value, State.SUSPENDED.value]}


@dataclass(frozen=True, slots=True)
class Member:
    """A key of the file. `schema`: JSON Schema, of which `_fits` knows what is used here."""

    name: str
    schema: Mapping[str, Any]
    meaning: str
    is_required: bool = False


CLIENT = (
    Member("name", _TEXT, "What the program is called: with its partner's name, who it is.", is_required=True),
    Member("scope", {**_TEXTS, "minItems": 1}, "All scopes that it may ask for.", is_required=True),
    Member("resources", {**_TEXTS, "minItems": 1}, "Its APIs; the first is the default.", is_required=True),
    Member("default_scope", _TEXTS, "The scopes of a token when none is asked for."),
    Member("studies", _TEXTS, "Studies as OID or OID:SITE,SITE."),
    Member("all_studies", _FLAG, "Every study, also those to come."),
    Member("authorization_details", {"type": "array"}, "Studies, sites, forms and actions in full (RFC 9396)."),
    Member("networks", _TEXTS, "From where it may come (CIDR); none is anywhere."),
    Member("token_lifetime", {"type": "integer", "minimum": 1, "maximum": 900}, "Seconds; 300 when left out."),
    Member("auth_method", {"enum": [one.value for one in Method]}, "client_secret_basic when left out."),
    Member("jwks", _TEXT, "A file with its public keys (a JWK set); a relative path starts at this file."),
    Member("jwks_uri", _TEXT, "Where it publishes its keys instead."),
    Member("profile", {"enum": [one.value for one in Profile]}, "A published profile that it follows."),
    Member("dpop", _FLAG, "Its tokens are bound to a key of its own (RFC 9449)."),
    Member("certificate_bound", _FLAG, "Its tokens are bound to its TLS certificate (RFC 8705)."),
    *(Member(field.value, _TEXT, "tls_client_auth: the one name in its certificate.") for field in SubjectField),
    Member("state", _STATE, "active when left out."),
)
PARTNER = (
    Member("name", _TEXT, "What the organisation is called: who it is.", is_required=True),
    Member("email", _TEXT, "Its contact.", is_required=True),
    Member("certificate", _TEXT, "Its OpenPGP certificate, a file; relative to this one.", is_required=True),
    Member(
        "fingerprint",
        _TEXT,
        "Of that certificate, as the partner gave it over another channel: the confirmation.",
        is_required=True,
    ),
    Member("state", _STATE, "active when left out."),
    Member("client", {"type": "array"}, "Its programs."),
)
TOP = (
    Member("version", {"enum": [VERSION]}, "Of this form.", is_required=True),
    Member("partner", {"type": "array"}, "The organisations."),
)

_HINT = "see docs/reference/declared-state.md"


@dataclass(frozen=True, slots=True)
class DeclaredClient:
    """`place`: where in the file."""

    place: str
    application: Application
    state: State


@dataclass(frozen=True, slots=True)
class DeclaredPartner:
    """`certificate`: the content of the file that was named, not looked at yet."""

    place: str
    name: str
    email: str
    certificate: bytes
    fingerprint: str
    state: State
    clients: tuple[DeclaredClient, ...]


def parse(content: bytes, *, where: str) -> dict[str, object]:
    """The tree in a TOML file. Raises Misuse."""
    try:
        return tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as broken:
        reason = "it is not UTF-8" if isinstance(broken, UnicodeDecodeError) else str(broken)
        raise Misuse("bad-declaration", f"{where} is not TOML: {reason}", hint="mend what it names") from None


def read(
    tree: Mapping[str, object], files: Callable[[str], bytes], *, where: str
) -> tuple[tuple[DeclaredPartner, ...], tuple[Fault, ...]]:
    """What `tree` declares, as far as it is right, and every mistake. `files`: the content of one that is named."""
    reader = _Reader(files)
    checked = reader.members(tree, TOP, where)
    partners = [
        reader.partner(one, f"{where}: partner {_called(one, number)}")
        for number, one in reader.entries(checked.get("partner"), where, "partner")
    ]
    return tuple(one for one in partners if one is not None), tuple(reader.faults)


class _Reader:
    """Reads on after a mistake, so that all are told at once."""

    def __init__(self, files: Callable[[str], bytes]) -> None:
        self._files = files
        self.faults: list[Fault] = []

    def refuse(self, place: str, message: str, *, code: str = "bad-declaration", hint: str = _HINT) -> None:
        self.faults.append(Fault(place, code, message, hint))

    def members(self, tree: Mapping[str, object], known: tuple[Member, ...], place: str) -> dict[str, Any]:
        """The members that are right."""
        by_name = {member.name: member for member in known}
        found: dict[str, Any] = {}
        for name, value in tree.items():
            if name not in by_name:
                # Its value is not repeated: it may be a secret that has no place here.
                self.refuse(place, f"{name!r} is unknown", hint=f"known: {', '.join(by_name)}")
            elif (wrong := _misfit(value, by_name[name].schema)) is not None:
                self.refuse(place, f"{name} {wrong}", hint=by_name[name].meaning)
            else:
                found[name] = value
        for member in known:
            if member.is_required and member.name not in tree:
                self.refuse(place, f"{member.name} is missing", hint=member.meaning)
        return found

    def entries(self, value: object, place: str, name: str) -> list[tuple[int, Mapping[str, object]]]:
        """The tables of a list; a name that comes twice is refused."""
        found: list[tuple[int, Mapping[str, object]]] = []
        seen: set[str] = set()
        for number, one in enumerate(value if isinstance(value, list) else [], start=1):
            if not isinstance(one, dict):
                self.refuse(place, f"{name} {number} is no table")
                continue
            called = one.get("name")
            if isinstance(called, str) and called in seen:
                self.refuse(place, f"{name} {called!r} stands there twice", code="declared-twice")
            seen.add(str(called))
            found.append((number, one))
        return found

    def partner(self, tree: Mapping[str, object], place: str) -> DeclaredPartner | None:
        before = len(self.faults)
        checked = self.members(tree, PARTNER, place)
        name = str(checked.get("name", ""))
        if "name" in checked:
            self.attempt(place, lambda: check_name(name, of="partner"))
        if "email" in checked:
            self.attempt(place, lambda: check_email(checked["email"]))
        certificate = self.file(place, checked.get("certificate"))
        is_whole = len(self.faults) == before
        programs = [
            self.client(one, name, f"{place} client {_called(one, number)}")
            for number, one in self.entries(checked.get("client"), place, "client")
        ]
        if not is_whole or certificate is None:
            return None
        return DeclaredPartner(
            place=place,
            name=name,
            email=checked["email"],
            certificate=certificate,
            fingerprint="".join(checked["fingerprint"].split()).upper(),
            state=State(checked.get("state", State.ACTIVE.value)),
            clients=tuple(one for one in programs if one is not None),
        )

    def client(self, tree: Mapping[str, object], partner: str, place: str) -> DeclaredClient | None:
        before = len(self.faults)
        checked = self.members(tree, CLIENT, place)
        keys = self.file(place, checked.get("jwks"))
        scope = self.attempt(place, lambda: _scope(checked.get("scope", [])))
        default = self.attempt(place, lambda: _scope(checked.get("default_scope", [])))
        details = self.attempt(place, lambda: _details(checked))
        allowed = self.attempt(place, lambda: clients.read_networks(checked.get("networks", []), option="networks"))
        jwks = None if keys is None else self.attempt(place, lambda: clients.read_jwks(keys, where=checked["jwks"]))
        uri = checked.get("jwks_uri")
        if uri is not None:
            self.attempt(place, lambda: clients.check_jwks_uri(uri))
        subject = self.attempt(place, lambda: _subject(checked))
        if len(self.faults) != before or scope is None or details is None or allowed is None:
            return None
        application = Application(
            partner=partner,
            name=checked["name"],
            scope=scope,
            resources=tuple(checked["resources"]),
            default_scope=default or None,
            details=details,
            token_lifetime=checked.get("token_lifetime", 300),
            auth_method=Method(checked.get("auth_method", Method.CLIENT_SECRET_BASIC.value)),
            networks=allowed,
            jwks=jwks,
            jwks_uri=uri,
            dpop_bound=checked.get("dpop", False),
            profile=Profile(checked.get("profile", Profile.DEFAULT.value)),
            tls_subject=subject,
            certificate_bound=checked.get("certificate_bound", False),
        )
        return DeclaredClient(place, application, State(checked.get("state", State.ACTIVE.value)))

    def file(self, place: str, name: str | None) -> bytes | None:
        return None if name is None else self.attempt(place, lambda: self._files(name))

    def attempt(self, place: str, act: Callable[[], T]) -> T | None:
        """What `act` gives; None when it refuses, which is noted."""
        try:
            return act()
        except (Problem, OAuthError, InvalidMetadata) as refused:
            if isinstance(refused, Problem):
                self.refuse(place, refused.message, code=refused.code, hint=refused.hint)
            else:
                self.refuse(place, getattr(refused, "description", None) or str(refused))
            return None


def _called(tree: Mapping[str, object], number: int) -> str:
    name = tree.get("name")
    return repr(name) if isinstance(name, str) and len(name) <= 100 and name.isprintable() else str(number)


def _scope(names: list[str]) -> Scope:
    return frozenset().union(*(scopes.parse(name) for name in names)) if names else frozenset()


def _details(checked: Mapping[str, Any]) -> Details:
    said = [name for name in ("studies", "all_studies", "authorization_details") if checked.get(name)]
    if len(said) > 1:
        raise Misuse("studies-twice", f"{' and '.join(said)} exclude each other", hint="say all of it in one")
    if "authorization_details" in said:
        return studies.check(authorization_details.read_claim(checked["authorization_details"]))
    return studies.details(checked.get("studies", []), every=checked.get("all_studies", False))


def _subject(checked: Mapping[str, Any]) -> mutual_tls.CertificateSubject | None:
    return mutual_tls.read_subject({field.value: checked.get(field.value) for field in SubjectField})


def _misfit(value: object, schema: Mapping[str, Any]) -> str | None:
    """What is wrong with `value`, without repeating it."""
    if "enum" in schema:
        return None if value in schema["enum"] else f"is none of {', '.join(map(str, schema['enum']))}"
    kind = schema["type"]
    if kind == "string":
        return None if isinstance(value, str) and value else "is no text, or empty"
    if kind == "boolean":
        return None if isinstance(value, bool) else "is neither true nor false"
    if kind == "integer":
        is_number = isinstance(value, int) and not isinstance(value, bool)
        within = is_number and schema["minimum"] <= value <= schema["maximum"]
        return None if within else f"is no whole number from {schema['minimum']} to {schema['maximum']}"
    if not isinstance(value, list):
        return "is no list"
    if len(value) < schema.get("minItems", 0):
        return "is empty"
    if "items" in schema and not all(isinstance(one, str) and one for one in value):
        return "is no list of texts"
    if schema.get("uniqueItems") and len(set(value)) != len(value):
        return "has something twice"
    return None
