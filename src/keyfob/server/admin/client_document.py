"""A client as `client show` and the admin API say it: its rights, and what was seen of its credentials."""

import hashlib
import json
from collections.abc import Sequence

from keyfob.oauth import authorization_details
from keyfob.oauth import scope as scopes
from keyfob.oauth.client_authentication import METHODS_BY_CERTIFICATE
from keyfob.server.lifecycle import clients, first_use
from keyfob.server.lifecycle.states import effective
from keyfob.server.storage.records import Announcement, Client, ClientView, Credential, Registration


def view_document(
    view: ClientView,
    partner: str,
    registered: Registration | None,
    announced: Sequence[Announcement],
    now: int,
) -> dict[str, object]:
    """`announced`: what waits."""
    return {
        **_rights(view),
        "partner": partner,
        "partner_state": view.partner_state.value,
        "registration": _registration_document(registered),
        "announced": [
            {
                "announcement_id": one.id,
                "thumbprints": clients.thumbprints(one.jwks),
                "jwks_uri": one.jwks_uri,
                "takes_effect_at": one.takes_effect_at,
            }
            for one in announced
        ],
        "credentials": [
            _credential_document(view.client, credential, now)
            | {"used_since_successor": is_used_since_successor(view, credential)}
            for credential in view.credentials
        ],
        "version": version(view),
    }


def version(view: ClientView) -> str:
    """Another one after each change of a right. What was only observed, such as a use, changes nothing."""
    credentials = [[one.id, one.state.value, one.overlap_ends_at] for one in view.credentials]
    said = [_rights(view), view.partner_state.value, credentials]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def _rights(view: ClientView) -> dict[str, object]:
    one = view.client
    by_certificate = one.auth_method in METHODS_BY_CERTIFICATE
    return {
        "client_id": one.id,
        "name": one.name,
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
        "emergency": credential.emergency,
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


def is_used_since_successor(view: ClientView, old: Credential) -> bool | None:
    """Whether a credential was used at or after its successor's first use; None when there is no such successor."""
    since = next((one.first_used_at for one in view.credentials if one.replaces == old.id and one.first_used_at), None)
    return None if since is None else old.last_used_at is not None and old.last_used_at >= since
