"""A client as `client show` says it: to a program, and to a person."""

from keyfob.command import table
from keyfob.oauth import authorization_details
from keyfob.oauth import scope as scopes
from keyfob.oauth.authorization_details import ALL_STUDIES, CdmsStudy, Details
from keyfob.oauth.client_authentication import METHODS_BY_CERTIFICATE
from keyfob.server.commands.surroundings import show_time
from keyfob.server.lifecycle import clients, first_use, rotation
from keyfob.server.lifecycle.states import effective
from keyfob.server.storage.records import Client, ClientView, Credential, Registration, State


def view_document(view: ClientView, partner: str, registered: Registration | None, now: int) -> dict[str, object]:
    one = view.client
    by_certificate = one.auth_method in METHODS_BY_CERTIFICATE
    return {
        "client_id": one.id,
        "name": one.name,
        "partner": partner,
        "partner_state": view.partner_state.value,
        "state": one.state.value,
        "auth_method": one.auth_method.value,
        "thumbprints": clients.thumbprints(one.jwks),
        "jwks_uri": one.jwks_uri,
        "dpop_bound": one.dpop_bound,
        "certificate_bound": one.certificate_bound or by_certificate,
        "certificates": clients.certificate_thumbprints(one.jwks) if by_certificate else [],
        **({one.tls_subject.field.value: one.tls_subject.value} if one.tls_subject is not None else {}),
        "token_lifetime": one.token_lifetime,
        "profile": one.profile.value,
        "grants": [
            {
                "resource": grant.resource,
                "scope": scopes.write(grant.scope),
                "default_scope": None if grant.default_scope is None else scopes.write(grant.default_scope),
            }
            for grant in one.grants
        ],
        "authorization_details": authorization_details.write_claim(one.authorization_details),
        "networks": list(one.networks),
        "created_at": one.created_at,
        "registration": _registration_document(registered),
        "credentials": [
            _credential_document(one, credential, now)
            | {"used_since_successor": is_used_since_successor(view, credential)}
            for credential in view.credentials
        ],
    }


def _registration_document(registered: Registration | None) -> dict[str, object] | None:
    if registered is None:
        return None
    return {
        "allowance": registered.allowance_id,
        "described": dict(registered.described),
        "ended_at": registered.ended_at,
    }


def _credential_document(client: Client, credential: Credential, now: int) -> dict[str, object]:
    return {
        "credential_id": credential.id,
        "state": effective(credential, now).value,
        "not_before": credential.not_before,
        "expires_at": credential.expires_at,
        "first_use_by": credential.first_use_by,
        "replaces": credential.replaces,
        "overlap": credential.overlap,
        "overlap_ends_at": credential.overlap_ends_at,
        "sealed_at": credential.sealed_at,
        "delivered_at": credential.delivered_at,
        "delivered_from": credential.delivered_from,
        "acknowledged_at": credential.acknowledged_at,
        "acknowledged_from": credential.acknowledged_from,
        "first_used_at": credential.first_used_at,
        "first_used_from": credential.first_used_from,
        "first_use_doubt": first_use.find_doubt(client, credential),
        "last_used_at": credential.last_used_at,
        "last_used_from": credential.last_used_from,
    }


def view_text(view: ClientView, partner: str, now: int) -> str:
    one = view.client
    lines = [f"{one.id} {one.name}, {one.state}", f"  partner   {partner}", f"  tokens    {one.token_lifetime} s"]
    if one.tls_subject is not None:
        lines.append(f"  subject   {one.tls_subject.field} {one.tls_subject.value}")
    lines += [f"  key       {name}" for name in clients.thumbprints(one.jwks)]
    if one.auth_method in METHODS_BY_CERTIFICATE:
        lines += [f"  x5t#S256  {name}" for name in clients.certificate_thumbprints(one.jwks)]
    lines += [f"  keys      {one.jwks_uri}"] if one.jwks_uri is not None else []
    lines += [f"  at        {grant.resource}: {scopes.write(grant.scope)}" for grant in one.grants]
    lines.append(f"  studies   {studies_text(one.authorization_details)}")
    lines.append(f"  from      {', '.join(one.networks) or 'anywhere'}")
    rows = [
        (
            credential.id,
            effective(credential, now).value,
            show_time(credential.expires_at),
            show_time(credential.first_used_at),
            show_time(credential.last_used_at),
            credential.last_used_from or "-",
            show_time(credential.overlap_ends_at),
        )
        for credential in view.credentials
    ]
    lines.append(table(("CREDENTIAL", "STATE", "EXPIRES", "FIRST USE", "LAST USE", "FROM", "OVERLAP ENDS"), rows))
    lines += [line for credential in view.credentials for line in _story(one, credential, now)]
    return "\n".join([*lines, *_still_used(view, now)])


def _story(client: Client, credential: Credential, now: int) -> list[str]:
    """Where a credential is on its way from the seal to the first use, and what is strange about it."""
    if (doubt := first_use.find_doubt(client, credential)) is not None:
        return [f"{credential.id}: {doubt}; if that is no place of the partner's: client suspend {client.id}"]
    if credential.first_used_at is not None or credential.sealed_at is None:
        return []
    seen = [f"sealed {show_time(credential.sealed_at)}"]
    if credential.delivered_at is not None:
        seen.append(f"fetched {show_time(credential.delivered_at)} from {credential.delivered_from}")
    if credential.acknowledged_at is not None:
        seen.append(f"acknowledged {show_time(credential.acknowledged_at)} from {credential.acknowledged_from}")
    if effective(credential, now) is State.ACTIVE and credential.first_use_by is not None:
        seen.append(f"expires {show_time(credential.first_use_by)} unless it is used before")
    return [f"{credential.id}: {', '.join(seen)}, never used"]


def is_used_since_successor(view: ClientView, old: Credential) -> bool | None:
    """Whether a credential was used at or after its successor's first use; None when there is no such successor."""
    since = next((one.first_used_at for one in view.credentials if one.replaces == old.id and one.first_used_at), None)
    return None if since is None else old.last_used_at is not None and old.last_used_at >= since


def _still_used(view: ClientView, now: int) -> list[str]:
    """Of each old secret in its overlap: since its successor came, who still uses it, and until when it works."""
    lines = []
    for old in rotation.retiring(view.credentials, now):
        used = is_used_since_successor(view, old)
        said = f"used, last {show_time(old.last_used_at)} from {old.last_used_from}" if used else "not used any more"
        lines.append(f"{old.id}: works until {show_time(old.overlap_ends_at)}; since its successor came it is {said}")
    return lines


def registration_text(registered: Registration) -> str:
    """What a client that registered itself says to people, and whether it may still look after itself."""
    ended = registered.ended_at
    state = "" if ended is None else f"; its registration tokens were ended at {show_time(ended)}: registration renew"
    lines = [f"registered itself, as {registered.allowance_id} allowed{state}"]
    return "\n".join([*lines, *(f"  {name}  {said}" for name, said in sorted(registered.described.items()))])


def studies_text(details: Details) -> str:
    """For a person: `S.1 (sites 701, 702), S.2`; forms and actions as they are, in JSON."""
    return ", ".join(_study(detail) for detail in details) or "none"


def _study(detail: CdmsStudy) -> str:
    plain = CdmsStudy(detail.identifier, detail.sites)
    if detail != plain:
        return authorization_details.write((detail,))
    name = "every study" if detail.identifier == ALL_STUDIES else detail.identifier
    return name if detail.sites is None else f"{name} (sites {', '.join(sorted(detail.sites))})"
