"""`explain ERROR_ID`: in words for a person, with what to do next."""

from keyfob.ambient import system_entropy
from keyfob.server import installation
from keyfob.server.refusals.causes import Cause
from keyfob.server.refusals.explanation import Explanation


def kept(home, explanation, now):
    found = installation.open(home, environ={}, entropy=system_entropy)
    try:
        found.store.record_refusals([], now, explained=[explanation])
    finally:
        found.close()


def test_it_says_what_happened_and_what_to_do_next(program, acme):
    client = acme.create()["client_id"]
    facts = {"credential_id": "abc", "expired_at": 0, "live_credentials": [], "clock_offset": -90}
    error_id = "5f0c2b9e4d7a41c38f6e0d1b2a3c4d5e"
    told = Explanation(error_id, program.now, "invalid_client", Cause.CREDENTIAL_EXPIRED, client, "192.0.2.7", facts)
    kept(acme.home, told, program.now)
    shown = program.run("explain", f" {error_id.upper()} ", "--home", acme.home).out
    for text in (
        f"client        {client}",
        "from          192.0.2.7",
        "the credential has expired",
        "expired_at: 1970-01-01 00:00:00Z",
        "live_credentials: (none)",
        "Its clock is 90 s behind this server's.",
        f"next: make a new credential: keyfob-server client rotate {client}",
    ):
        assert text in shown, text
    program.now += 24 * 60 * 60
    refused = program.run("explain", error_id, "--home", acme.home, "--json", code=1).json
    assert refused["error"] == "unknown-error-id"
    assert "24 hours" in refused["hint"]
