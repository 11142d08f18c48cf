"""Signing keys change under a running server, and no token that it issued stops being good."""

import contextlib

import pytest
import sqlalchemy as sa
from joserfc import jwk, jwt

from keyfob import databases
from keyfob.server import settings
from keyfob.server.storage.schema import TABLES


def write(operator, statement: str, **values: object) -> None:
    """What time would have done: the server reads it from the next request on."""
    where = settings.load(operator.home, {}).database
    with contextlib.closing(databases.find(where, TABLES, environ={})) as opened, opened.write() as connection:
        connection.execute(sa.text(statement), values)
        connection.execute(sa.text("UPDATE installation SET revision = revision + 1"))


def published(operator) -> jwk.KeySet:
    return jwk.KeySet.import_key_set(operator.request("GET", "/oauth2/jwks").document)


def kids(operator) -> set[str]:
    return {key["kid"] for key in operator.request("GET", "/oauth2/jwks").document["keys"]}


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "PS256", "ES384", "EdDSA"])
def test_a_rotation_never_breaks_a_token_and_takes_up_the_chosen_algorithm(new_operator, monkeypatch, algorithm):
    monkeypatch.setenv("KEYFOB_KEYS_ALGORITHM", algorithm)
    operator = new_operator()
    info = operator.client("steady")
    operator.serve()
    (first,) = kids(operator)
    before = operator.token(info, scope="studies:read").document["access_token"]
    second = operator.run("key", "rotate")["kid"]
    assert kids(operator) == {first, second}
    waiting = operator.token(info, scope="studies:read").document["access_token"]
    assert jwt.decode(waiting, published(operator), ["ES256"]).header["kid"] == first
    write(operator, "UPDATE signing_key SET not_before = not_before - 900")
    after = operator.token(info, scope="studies:read").document["access_token"]
    assert jwt.decode(after, published(operator), [algorithm]).header["kid"] == second
    assert jwt.decode(before, published(operator), ["ES256"]).header["kid"] == first
    write(operator, "UPDATE signing_key SET not_before = not_before - 960")
    assert kids(operator) == {second}


def test_keys_whose_time_has_come_get_their_successors_by_themselves(new_operator, until):
    """Those of access tokens and that of the revocation feed."""
    operator = new_operator()
    write(operator, "UPDATE signing_key SET not_before = not_before - 31 * 86400")
    operator.serve()
    until(lambda: len(kids(operator)) == 2)
    until(lambda: len(operator.metadata()["keyfob_revocations_jwks"]["keys"]) == 2)
    made = [record for record in operator.audit() if record["kind"] == "signing_key_created"]
    assert [(record["actor"], record["purpose"]) for record in made[2:]] == [
        ("server", "access-tokens"),
        ("server", "revocations"),
    ]
    assert len(operator.run("key", "list")["keys"]) == 2


def test_a_home_from_before_the_feed_gets_its_key_at_the_start(new_operator, until):
    operator = new_operator()
    write(operator, "DELETE FROM signing_key WHERE purpose = 'revocations'")
    operator.serve()
    until(lambda: len(operator.metadata()["keyfob_revocations_jwks"]["keys"]) == 1)


def test_after_an_emergency_no_older_token_is_good_and_the_client_gets_a_new_one(new_operator):
    operator = new_operator()
    info = operator.client("alarmed")
    operator.serve()
    before = operator.token(info, scope="studies:read").document["access_token"]
    assert operator.introspect(before, client=info)["active"] is True
    done = operator.run("key", "rotate", "--emergency", "--yes")
    assert kids(operator) == {done["kid"]}
    assert operator.introspect(before, client=info) == {"active": False}
    after = operator.token(info, scope="studies:read").document["access_token"]
    assert operator.introspect(after, client=info)["active"] is True
    assert [entry["kid"] for entry in operator.feed()["revocations"]] == done["revoked"]
