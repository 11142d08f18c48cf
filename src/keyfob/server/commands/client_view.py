"""A client as `client show` says it to a person, out of its document."""

from typing import Any

from keyfob.command import table
from keyfob.oauth import authorization_details
from keyfob.oauth.authorization_details import ALL_STUDIES, CdmsStudy, Details
from keyfob.oauth.mutual_tls import SubjectField
from keyfob.server.commands.surroundings import show_time
from keyfob.server.storage.records import State


def view_text(one: dict[str, Any]) -> str:
    lines = [
        f"{one['client_id']} {one['name']}, {one['state']}",
        f"  partner   {one['partner']}, {one['partner_state']}",
        f"  tokens    {one['token_lifetime']} s",
    ]
    lines += [f"  subject   {field.value} {one[field.value]}" for field in SubjectField if field.value in one]
    lines += [f"  key       {name}" for name in one["thumbprints"]]
    lines += [f"  x5t#S256  {name}" for name in one["certificates"]]
    lines += [f"  keys      {one['jwks_uri']}"] if one["jwks_uri"] is not None else []
    lines += [
        f"  from {show_time(other['takes_effect_at'])}: {other['jwks_uri'] or ', '.join(other['thumbprints'])} "
        f"({other['announcement_id']}; announcement stop)"
        for other in one["announced"]
    ]
    lines += [f"  at        {grant['resource']}: {grant['scope']}" for grant in one["grants"]]
    lines.append(f"  studies   {studies_text(authorization_details.read_claim(one['authorization_details']))}")
    lines.append(f"  from      {', '.join(one['networks']) or 'anywhere'}")
    rows = [
        (
            credential["credential_id"],
            credential["state"],
            show_time(credential["expires_at"]),
            show_time(credential["first_used_at"]),
            show_time(credential["last_used_at"]),
            credential["last_used_from"] or "-",
            show_time(credential["overlap_ends_at"]),
        )
        for credential in one["credentials"]
    ]
    lines.append(table(("CREDENTIAL", "STATE", "EXPIRES", "FIRST USE", "LAST USE", "FROM", "OVERLAP ENDS"), rows))
    lines += [
        f"{credential['credential_id']}: for an emergency: nothing follows it, and each use rings an alarm"
        for credential in one["credentials"]
        if credential["emergency"]
    ]
    lines += [line for credential in one["credentials"] for line in _story(one["client_id"], credential)]
    lines += [line for credential in one["credentials"] for line in _still_used(credential)]
    return "\n".join([*lines, *_registration(one["registration"])])


def _story(client_id: str, credential: dict[str, Any]) -> list[str]:
    """Where a credential is on its way from the seal to the first use, and what is strange about it."""
    name = credential["credential_id"]
    if (doubt := credential["first_use_doubt"]) is not None:
        return [f"{name}: {doubt}; if that is no place of the partner's: client suspend {client_id}"]
    if credential["first_used_at"] is not None or credential["sealed_at"] is None:
        return []
    seen = [f"sealed {show_time(credential['sealed_at'])}"]
    if credential["delivered_at"] is not None:
        seen.append(f"fetched {show_time(credential['delivered_at'])} from {credential['delivered_from']}")
    if credential["acknowledged_at"] is not None:
        seen.append(f"acknowledged {show_time(credential['acknowledged_at'])} from {credential['acknowledged_from']}")
    if credential["state"] == State.ACTIVE and credential["first_use_by"] is not None:
        seen.append(f"expires {show_time(credential['first_use_by'])} unless it is used before")
    return [f"{name}: {', '.join(seen)}, never used"]


def _still_used(old: dict[str, Any]) -> list[str]:
    """Of an old secret in its overlap: since its successor came, who still uses it, and until when it works."""
    if old["state"] != State.RETIRING:
        return []
    last = f"used, last {show_time(old['last_used_at'])} from {old['last_used_from']}"
    said = last if old["used_since_successor"] else "not used any more"
    ends = show_time(old["overlap_ends_at"])
    return [f"{old['credential_id']}: works until {ends}; since its successor came it is {said}"]


def _registration(registered: dict[str, Any] | None) -> list[str]:
    """What a client that registered itself says to people, and whether it may still look after itself."""
    if registered is None:
        return []
    ended = registered["ended_at"]
    state = "" if ended is None else f"; its registration tokens were ended at {show_time(ended)}: registration renew"
    lines = [f"registered itself, as {registered['allowance']} allowed{state}"]
    return [*lines, *(f"  {name}  {said}" for name, said in sorted(registered["described"].items()))]


def studies_text(details: Details) -> str:
    """For a person: `S.1 (sites 701, 702), S.2`; forms and actions as they are, in JSON."""
    return ", ".join(_study(detail) for detail in details) or "none"


def _study(detail: CdmsStudy) -> str:
    plain = CdmsStudy(detail.identifier, detail.sites)
    if detail != plain:
        return authorization_details.write((detail,))
    name = "every study" if detail.identifier == ALL_STUDIES else detail.identifier
    return name if detail.sites is None else f"{name} (sites {', '.join(sorted(detail.sites))})"
