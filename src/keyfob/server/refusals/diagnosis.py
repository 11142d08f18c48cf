"""From what a refused request showed to why it was refused. Runs behind the answer, so that no time on the wire tells.

Facts are dates, counts, and names that are registered here. A text that came with the request is never taken over: it
may be a secret in the wrong field. Nothing here can say whether a guess was near: a secret is looked at for its form.
"""

import base64
import binascii
import difflib
import json
import re
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from keyfob import client_secret
from keyfob.oauth import scope as scopes
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.errors import InvalidScope
from keyfob.secret import Secret
from keyfob.server.lifecycle import states
from keyfob.server.refusals.causes import Cause
from keyfob.server.refusals.explanation import Explanation, Fact
from keyfob.server.refusals.sighting import Sighting
from keyfob.server.storage.records import Client, ClientView, Resource, State

SKEW_REPORTED = 5
"""Seconds that two clocks may differ without a word."""
_CLIENT_ID = re.compile(r"cl_[0-9A-Za-z]{22}")
_MAX_NAMES = 5
_SAID = frozenset(
    {
        Cause.MALFORMED_FORM,
        Cause.SCOPE_MALFORMED,
        Cause.RESOURCE_MALFORMED,
        Cause.DETAILS_REFUSED,
        Cause.METADATA_REFUSED,
        Cause.REGISTRATION_WIDENED,
    }
)
"""Where the public text says it best."""
_MAX_COMPARED = 100


def diagnose(seen: Sighting, resources: Sequence[Resource]) -> Explanation:
    """Why `seen` was refused. `resources`: the registered ones, to name what was nearly right."""
    cause = _cause(seen)
    return Explanation(
        error_id=seen.request_id,
        at=seen.at,
        error=seen.error,
        cause=cause,
        client_id=None if seen.view is None else seen.view.client.id,
        address=seen.address,
        facts=_facts(seen, cause, resources),
    )


def _cause(seen: Sighting) -> Cause:
    if seen.has_secret_in_query:
        return Cause.SECRET_IN_URL
    if seen.cause is Cause.MALFORMED_SECRET and seen.presented is not None:
        if seen.presented.method is Method.PRIVATE_KEY_JWT:
            return Cause.ASSERTION_REFUSED
        return Cause.ENCODED_TWICE if _is_encoded(seen.presented.secret) else seen.cause
    if seen.cause is Cause.UNKNOWN_CLIENT and seen.presented is not None:
        named = client_secret.credential_id(Secret(seen.presented.client_id))
        return Cause.SWAPPED if named is not None else seen.cause
    if seen.cause is not None:
        return seen.cause
    if seen.has_query and seen.error == "invalid_request":
        return Cause.PARAMETERS_IN_URL
    return _BY_ERROR.get(seen.error, _other)(seen)


def _invalid_request(seen: Sighting) -> Cause:
    kind = seen.content_type.partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        if kind.endswith("json") or seen.looks_like_json:
            return Cause.JSON_BODY
        return Cause.MULTIPART_BODY if kind.startswith("multipart/") else Cause.NOT_A_FORM
    if seen.looks_like_json:
        return Cause.JSON_BODY
    # The public texts of keyfob.oauth, which are fixed: what they say is what was wrong.
    for text, cause in (
        ("more than one Authorization", Cause.TWO_HEADERS),
        ("more than one method", Cause.TWO_METHODS),
        ("client_id differs", Cause.IDS_DIFFER),
        ("grant_type is missing", Cause.GRANT_TYPE_MISSING),
    ):
        if text in seen.description:
            return cause
    return Cause.MALFORMED_FORM


def _invalid_client(seen: Sighting) -> Cause:
    if _is_asserted(seen) or "assertion" in seen.detail:
        return Cause.ASSERTION_REFUSED
    if not seen.authorization:
        return Cause.NEVER_ISSUED if seen.presented is not None else Cause.NO_CREDENTIALS
    scheme, _, encoded = seen.authorization[0].reveal_bytes().partition(b" ")
    if scheme.lower() != b"basic":
        return Cause.NOT_BASIC
    try:
        decoded = base64.b64decode(encoded.strip(b" "), validate=True)
    except binascii.Error:
        return Cause.NOT_BASE64
    if base64.b64encode(decoded) != encoded.strip(b" "):
        return Cause.NOT_BASE64
    client_id, colon, secret = decoded.partition(b":")
    if not colon:
        # Some libraries encode the colon, too; others send the client id alone.
        return Cause.ENCODED_TWICE if b"%3a" in decoded.lower() else Cause.NO_COLON
    once = unquote_to_bytes(client_id), unquote_to_bytes(secret)
    if any(b"%" in part and _is_encoded(Secret(part)) for part in once):
        return Cause.ENCODED_TWICE
    return Cause.BADLY_ENCODED if re.search(rb"%(?![0-9A-Fa-f]{2})", client_id + secret) else Cause.NEVER_ISSUED


def _is_asserted(seen: Sighting) -> bool:
    return seen.presented is not None and seen.presented.method is Method.PRIVATE_KEY_JWT


def _other(_seen: Sighting) -> Cause:
    return Cause.OTHER


_BY_ERROR: dict[str, Callable[[Sighting], Cause]] = {
    "invalid_request": _invalid_request,
    "invalid_client": _invalid_client,
    "too_many_requests": _invalid_client,
    "unsupported_grant_type": lambda _: Cause.GRANT_TYPE_UNSUPPORTED,
    "invalid_scope": lambda _: Cause.SCOPE_MALFORMED,
    "invalid_target": lambda _: Cause.RESOURCE_MALFORMED,
    "invalid_authorization_details": lambda _: Cause.DETAILS_REFUSED,
    "invalid_dpop_proof": lambda _: Cause.PROOF_REFUSED,
    "use_dpop_nonce": lambda _: Cause.PROOF_NONCE,
    "method_not_allowed": lambda _: Cause.WRONG_METHOD,
}


def _is_encoded(text: Secret) -> bool:
    """Whether `text`, decoded once more, is an id or a secret of our form. No look-up: form and checksum alone."""
    raw = text.reveal_bytes()
    if b"%" not in raw:
        return False
    again = unquote_to_bytes(raw)
    if b"%" in again:
        again = unquote_to_bytes(again)
    is_id = _CLIENT_ID.fullmatch(again.decode("latin-1")) is not None
    return is_id or client_secret.credential_id(Secret(again)) is not None


def _facts(seen: Sighting, cause: Cause, resources: Sequence[Resource]) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    if cause in _SAID:
        facts["said"] = seen.description[:200]
    if cause is Cause.ASSERTION_REFUSED and seen.detail and seen.cause is None:
        facts["said"] = seen.detail.partition(":")[0][:200]  # what follows a colon may quote the assertion
    if cause in (Cause.NO_CREDENTIALS, Cause.NOT_BASIC) and seen.through_proxy:
        facts["came_through_a_proxy"] = "yes"
    if cause is Cause.WRONG_METHOD:
        facts["method"] = seen.method if seen.method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS") else "-"
    if cause is Cause.UNKNOWN_CLIENT and seen.presented is not None and _CLIENT_ID.fullmatch(seen.presented.client_id):
        facts["presented_client_id"] = seen.presented.client_id  # of our form: no secret looks like that
    if seen.view is not None and seen.presented is not None:
        facts |= _credential_facts(seen.view, seen.presented.secret, cause, seen.at)
    if seen.view is not None and cause is Cause.SCOPE_NOT_GRANTED:
        facts |= _scope_facts(seen, seen.view.client, resources)
    if seen.view is not None and cause is Cause.RESOURCE_NOT_GRANTED:
        facts |= _resource_facts(seen, seen.view.client, resources)
    if (offset := _clock_offset(seen)) is not None:
        facts["clock_offset"] = offset
    if seen.retry_after is not None:
        facts["retry_after"] = seen.retry_after
    return facts


def _credential_facts(view: ClientView, presented: Secret, cause: Cause, now: int) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    named = client_secret.credential_id(presented)
    credential = None if named is None else view.credential(named)
    if credential is not None:
        facts["credential_id"] = credential.id
        if cause is Cause.NOT_YET_VALID:
            facts["not_before"] = credential.not_before
        if cause is Cause.CREDENTIAL_EXPIRED:
            facts["expired_at"] = credential.expires_at
        if cause is Cause.CREDENTIAL_UNOPENED and credential.first_use_by is not None:
            facts["expired_at"] = credential.first_use_by
        if cause is Cause.CREDENTIAL_RETIRED and credential.overlap_ends_at is not None:
            facts["overlap_ended_at"] = min(credential.overlap_ends_at, now)
    elif cause is Cause.WRONG_SECRET:
        facts["credential"] = "the secret names a credential that this client never had"
    if cause in (Cause.WRONG_SECRET, Cause.CREDENTIAL_RETIRED, Cause.CREDENTIAL_EXPIRED, Cause.CREDENTIAL_REVOKED):
        usable = (State.ACTIVE, State.RETIRING)
        live = [one.id for one in view.credentials if states.effective(one, now) in usable]
        facts["live_credentials"] = live[-_MAX_NAMES:]
    return facts


def _scope_facts(seen: Sighting, client: Client, resources: Sequence[Resource]) -> dict[str, Fact]:
    """Which of the scopes it was: by its name when it is a registered one, else by what it resembles."""
    asked = _asked(seen, "resource")
    grant = next((one for one in client.grants if one.resource == (asked or "").rstrip("/")), client.grants[0])
    try:
        beyond = sorted(scopes.parse(_asked(seen, "scope") or "") - grant.scope)
    except InvalidScope:
        return {}
    registered = frozenset(scope for resource in resources for scope in resource.scope)
    strange = [scope for scope in beyond if scope not in registered]
    facts: dict[str, Fact] = {"resource": grant.resource, "granted": sorted(grant.scope)[:50]}
    if named := [scope for scope in beyond if scope in registered]:
        facts["not_granted"] = named[:_MAX_NAMES]
    if strange:
        facts["registered_nowhere"] = len(strange)
        if near := _near(strange[:_MAX_NAMES], registered):
            facts["did_you_mean"] = near
    return facts


def _resource_facts(seen: Sighting, client: Client, resources: Sequence[Resource]) -> dict[str, Fact]:
    asked = (_asked(seen, "resource") or "").rstrip("/")
    granted = [grant.resource for grant in client.grants]
    facts: dict[str, Fact] = {"granted": granted}
    if asked in {resource.url for resource in resources}:
        facts["not_granted"] = asked
    elif near := _near([asked], granted):
        facts["did_you_mean"] = near
    return facts


def _near(typed: Sequence[str], known: Sequence[str] | frozenset[str]) -> list[str]:
    found = [difflib.get_close_matches(one[:_MAX_COMPARED], sorted(known), n=1, cutoff=0.7) for one in typed]
    return sorted({match for matches in found for match in matches})


def _asked(seen: Sighting, name: str) -> str | None:
    return seen.asked[name].reveal() if name in seen.asked else None


def _clock_offset(seen: Sighting) -> int | None:
    """Seconds that the client's clock is ahead of ours (negative: behind), where it tells and it is worth a word."""
    told = _date(seen.date) if seen.date else None
    if told is None and seen.presented is not None and _is_asserted(seen):
        told = _issued_at(seen.presented.secret)
    if told is None or not SKEW_REPORTED < abs(told - seen.at) < 10**10:
        return None
    return told - seen.at


def _date(header: str) -> int | None:
    """RFC 9110 §6.6.1, the Date header."""
    try:
        return int(parsedate_to_datetime(header).timestamp())
    except (ValueError, OverflowError, OSError):
        return None


def _issued_at(assertion: Secret) -> int | None:
    """The unverified `iat` of an assertion: good for a hint and nothing else."""
    parts = assertion.reveal_bytes().split(b".")
    if len(parts) != 3:
        return None
    try:
        unverified_claims = json.loads(base64.urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4)))
        issued_at = unverified_claims["iat"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return int(issued_at) if isinstance(issued_at, int | float) and abs(issued_at) < 10**12 else None
