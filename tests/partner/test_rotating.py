"""`keyfob rotate` against an issuer that answers as a test says: what is asked, what is believed, and what is told."""

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from keyfob import client_secret
from keyfob.openpgp import keys
from keyfob.partner import finish_rotation, opening, rotate
from keyfob.partner.vault import secrets_manager as secrets_manager_store
from keyfob.partner.vault.entries import Keeping
from keyfob.problem import Problem
from keyfob.secret import Secret

NEXT, FINISH, LISTED = (f"/partner/v1/credentials{path}" for path in ("/next", "/finish", ""))


@pytest.fixture(autouse=True)
def authority(service, monkeypatch):
    monkeypatch.setenv("KEYFOB_CA_FILE", str(service.ca))


@pytest.fixture
def rotating(handoff, service, next_message):
    """A vault with the first secret, and an issuer that has a successor for it; `.asked`: (path, credential id)."""
    handoff.receive(handoff.message())
    handoff.asked = []
    handoff.successor = handoff.message(**next_message(2))

    def noting(path, answer):
        def handle(method, headers, body):
            pair = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
            by = client_secret.credential_id(Secret(pair.partition(":")[2]))
            handoff.asked.append((path, by))
            assert body == b""
            return answer(by)

        service.handle[path] = handle

    def give(_by):
        service.good = "credential2"
        return 201, {"content-type": "application/pgp-encrypted"}, handoff.successor

    handoff.noting = noting
    noting(NEXT, give)
    noting(LISTED, lambda _: service.say(200, {"credentials": [LIVING, LIVING | {"credential_id": "credential2"}]}))
    handoff.rotate = lambda: rotate(vault=handoff.vault, private_key=handoff.private_key)
    return handoff


LIVING = {
    "credential_id": "credential1",
    "state": "retiring",
    "expires_at": 2000,
    "overlap_ends_at": 1500,
    "last_used_at": 1400,
    "last_used_from": "192.0.2.7",
}


def current(handoff):
    vault = opening.Vault.open(handoff.vault)
    return opening.default_keeper(vault, private_key=handoff.private_key).open(vault.current("cl_1")).credential_id


def test_the_new_secret_is_stored_and_proven_and_what_still_works_is_told(rotating, service):
    done = rotating.rotate()
    assert (done.credential_id, done.replaced, done.again) == ("credential2", "credential1", False)
    assert rotating.asked == [(NEXT, "credential1"), (LISTED, "credential2")]
    assert [asked["scope"] for asked in service.asked] == ["studies:read"], "a token of the least scope"
    (old,) = done.ending
    assert (old.credential_id, old.overlap_ends_at, old.last_used_from) == ("credential1", 1500, "192.0.2.7")
    assert current(rotating) == "credential2"
    assert len(rotating.stored()) == 2


def test_it_is_kept_as_the_one_before(handoff, rotating):
    rotating.rotate()
    vault = opening.Vault.open(handoff.vault)
    assert {entry.keeping for entry in vault.entries("cl_1")} == {Keeping.FILE}


def test_under_a_key_in_aws_kms_the_new_secret_is_kept_under_the_same_key(rotating, cloud):
    key = cloud.new_key()
    rotating.receive(rotating.message(), keeping=Keeping.AWS_KMS, key_name=key)
    rotating.rotate()
    kept = {(entry.keeping, entry.opened_with) for entry in opening.Vault.open(rotating.vault).entries("cl_1")}
    assert kept == {(Keeping.AWS_KMS, key)}


@pytest.mark.parametrize("keeping", [Keeping.KEYRING, Keeping.VAULT])
def test_under_a_key_that_is_kept_elsewhere_the_new_secret_is_under_the_same(rotating, bao, os_keyring, keeping):
    key_name = bao.new_key() if keeping is Keeping.VAULT else None
    first = rotating.receive(rotating.message(), keeping=keeping, key_name=key_name).entry
    rotating.rotate()
    kept = {(entry.keeping, entry.opened_with) for entry in opening.Vault.open(rotating.vault).entries("cl_1")}
    assert kept == {(keeping, first.opened_with)}


def test_a_vault_in_a_database_rotates_as_one_in_a_folder(rotating, postgresql, tmp_path, monkeypatch):
    url = postgresql.new_url()
    monkeypatch.setattr(type(rotating), "vault", url)
    key_file = tmp_path / "own.key"
    rotating.receive(rotating.message(), key_file=key_file)
    rotate(vault=url, private_key=rotating.private_key)
    vault = opening.Vault.open(url)
    assert [entry.credential_id for entry in vault.entries("cl_1")] == ["credential2", "credential1"]
    assert opening.default_keeper(vault).open(vault.current("cl_1")).credential_id == "credential2"


def aws_vault(rotating, secrets_manager, tmp_path, monkeypatch):
    """One that has no lock."""
    name = f"aws-secrets:{secrets_manager.create_secret(Name=f'keyfob/{tmp_path.name}')['ARN']}"
    monkeypatch.setattr(type(rotating), "vault", name)
    rotating.receive(rotating.message(), key_file=tmp_path / "own.key")
    return lambda: rotate(vault=name, private_key=rotating.private_key)


def test_a_rotation_that_is_overtaken_where_there_is_no_lock_finds_it_done(
    rotating, secrets_manager, tmp_path, monkeypatch
):
    work = aws_vault(rotating, secrets_manager, tmp_path, monkeypatch)
    real, faster = secrets_manager_store._Secret.replace, []

    def overtaken(self, read, wanted):
        monkeypatch.setattr(secrets_manager_store._Secret, "replace", real)
        faster.append(work())
        real(self, read, wanted)

    monkeypatch.setattr(secrets_manager_store._Secret, "replace", overtaken)
    slower = work()
    assert [(one.credential_id, one.again) for one in (*faster, slower)] == [
        ("credential2", False),
        ("credential2", True),
    ]
    assert [one.credential_id for one in opening.Vault.open(rotating.vault).entries("cl_1")] == [
        "credential2",
        "credential1",
    ]


def test_of_rotations_at_once_where_there_is_no_lock_none_is_lost(rotating, secrets_manager, tmp_path, monkeypatch):
    work = aws_vault(rotating, secrets_manager, tmp_path, monkeypatch)
    ready = threading.Barrier(3)

    def one_of_them(_):
        ready.wait()
        return work()

    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(one_of_them, range(3)))
    assert [one.credential_id for one in done] == ["credential2"] * 3
    found = opening.Vault.open(rotating.vault).entries("cl_1")
    assert [one.credential_id for one in found] == ["credential2", "credential1"]
    assert current(rotating) == "credential2"


def test_what_receive_refuses_is_refused_and_nothing_changes(rotating, next_message):
    thief, _ = keys.generate_operator_key("Thief")
    wrong = {
        "wrong-signer": rotating.message(signed_by=thief, **next_message(2)),
        "older-message": rotating.message(**next_message(2, issued_at=1)),
        "changed-issuer": rotating.message(**next_message(2, issuer="https://issuer.example")),
        "wrong-recipient": rotating.message(**next_message(2, recipient_fingerprint=rotating.other.fingerprint)),
    }
    for code, message in wrong.items():
        rotating.successor = message
        with pytest.raises(Problem) as refused:
            rotating.rotate()
        assert refused.value.code == code
        assert current(rotating) == "credential1"
    assert len(rotating.stored()) == 1


def test_a_vault_whose_newest_secret_is_refused_asks_with_the_one_before(rotating, service):
    first = rotating.successor
    rotating.noting(NEXT, lambda _: (200, {"content-type": "application/pgp-encrypted"}, first))
    with pytest.raises(Problem) as refused:
        rotating.rotate()  # stored, and refused: the operator was faster
    assert refused.value.code == "successor-refused"
    assert current(rotating) == "credential2"
    rotating.asked.clear()
    rotating.successor = rotating.message(
        client_secret=client_secret.make("credential3", b"3" * 32), credential_id="credential3", message_id="m3",
        issued_at=1003,
    )  # fmt: skip

    def give(by):
        if by == "credential2":
            return service.say(401, {"error": "invalid_client"})
        service.good = "credential3"
        return 201, {"content-type": "application/pgp-encrypted"}, rotating.successor

    rotating.noting(NEXT, give)
    assert rotating.rotate().credential_id == "credential3"
    assert rotating.asked[:2] == [(NEXT, "credential2"), (NEXT, "credential1")]
    assert [path.stem for path in rotating.stored()] == ["credential1", "credential3"], "the dead one is gone"


def test_what_the_issuer_no_longer_lists_is_forgotten_and_never_without_a_list(rotating, service):
    for answer in ((500, {}, b""), (200, {}, b'{"credentials": []}')):
        rotating.noting(LISTED, lambda _, answer=answer: answer)
        rotating.rotate()
        assert len(rotating.stored()) == 2
    rotating.noting(LISTED, lambda _: service.say(200, {"credentials": [LIVING | {"credential_id": "credential2"}]}))
    rotating.rotate()
    assert [path.stem for path in rotating.stored()] == ["credential2"]
    assert current(rotating) == "credential2"


def test_of_three_secrets_in_a_vault_two_are_asked_with(rotating, service, next_message):
    """Each refusal is a failure at the issuer, and may be an alarm there."""
    for number in (2, 3):
        rotating.receive(rotating.message(**next_message(number)))
    rotating.noting(NEXT, lambda _: service.say(401, {"error": "invalid_client"}))
    with pytest.raises(Problem) as refused:
        rotating.rotate()
    assert refused.value.code == "invalid_client"
    assert [by for _, by in rotating.asked] == ["credential3", "credential2"]
    assert len(rotating.stored()) == 3, "nobody knows whether they have ended"


def test_a_new_secret_that_cannot_be_proven_stays_and_the_next_rotation_goes_on(rotating, service):
    token = service.handle.pop("/oauth2/token")
    with pytest.raises(Problem) as refused:
        rotating.rotate()
    assert "stored, and was not used yet" in refused.value.message
    assert "rotate again" in refused.value.hint
    service.handle["/oauth2/token"] = token
    done = rotating.rotate()
    assert done.credential_id == "credential2"
    assert rotating.asked[-2] == (NEXT, "credential2")


def test_a_scope_of_another_api_proves_nothing_and_the_next_one_is_tried(rotating, service):
    token = service.handle["/oauth2/token"]

    def answer(method, headers, body):
        return service.say(400, {"error": "invalid_scope"}) if b"studies" in body else token(method, headers, body)

    service.handle["/oauth2/token"] = answer
    assert rotating.rotate().credential_id == "credential2"
    assert [asked["scope"] for asked in service.asked] == ["subjects:read"]


def test_a_list_that_cannot_be_had_does_not_undo_the_rotation(rotating, service):
    for answer in ((500, {}, b"no"), (200, {}, b"[]"), (200, {}, b'{"credentials": [1, {"credential_id": 2}]}')):
        rotating.noting(LISTED, lambda _, answer=answer: answer)
        assert rotating.rotate().credential_id == "credential2"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((409, {}, b'{"error": "handed_over", "error_description": "receive \\u001b[31m that"}'), "handed_over"),
        ((429, {}, b'{"error": "too_many_requests", "error_id": "e"}'), "too_many_requests"),
        ((401, {}, b'{"error": "invalid_client"}'), "invalid_client"),
        ((404, {}, b"{}"), "not-offered"),
        ((200, {"content-type": "text/html"}, b"<html>"), "malformed-response"),
        ((302, {"location": "https://elsewhere.example"}, b""), "malformed-response"),
        ((200, {"content-type": "application/pgp-encrypted"}, b"x" * 200_000), "response-too-large"),
        ((200, {"content-type": "application/pgp-encrypted"}, b"no message"), "not-a-message"),
    ],
)
def test_an_issuer_that_says_no_is_told_and_changes_nothing(rotating, answer, code):
    rotating.noting(NEXT, lambda _: answer)
    with pytest.raises(Problem) as refused:
        rotating.rotate()
    assert refused.value.code == code
    assert refused.value.hint
    assert refused.value.message.isprintable()
    assert current(rotating) == "credential1"


def test_finish_says_what_no_longer_works(rotating, service):
    rotating.noting(FINISH, lambda _: service.say(200, {"retired": ["credential0"]}))
    assert finish_rotation(vault=rotating.vault, private_key=rotating.private_key) == ("credential0",)
    rotating.noting(FINISH, lambda _: service.say(409, {"error": "no_overlap", "error_description": "none"}))
    with pytest.raises(Problem, match="none"):
        finish_rotation(vault=rotating.vault, private_key=rotating.private_key)


def test_a_running_source_goes_on_with_the_older_secret_and_asks_the_refused_one_no_more(rotating, service):
    rotating.receive(rotating.successor)  # service.good is still credential1
    source = opening.open_authorizer(vault=rotating.vault).source
    tokens = []
    for _ in range(3):
        held = source.token(
            frozenset({"studies:read"}), resource=rotating.info.resource[0], refused=tokens and tokens[-1]
        )
        tokens.append(held)
    assert {held.credential_id for held in tokens} == {"credential1"}
    assert len(service.asked) == 4, "once with the new one, and then not for a minute"
    service.good = "credential0"
    with pytest.raises(Problem) as refused:
        source.token(frozenset({"subjects:read"}), resource=rotating.info.resource[0])
    assert refused.value.code == "invalid_client"


def test_a_message_behind_a_link_is_fetched_by_post_and_checked_like_a_file(handoff, service, tmp_path):
    asked = []

    def link(method, _headers, body):
        asked.append((method, body))
        return 200, {"content-type": "application/pgp-encrypted"}, handoff.message()

    service.handle["/handoff/token"] = link
    assert handoff.receive(opening.fetch_message(f"{service.url}/handoff/token", ca=None)).first
    assert asked == [("POST", b"")]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((404, {}, b""), "dead-link"),
        ((302, {"location": "/handoff/other"}, b""), "no-message"),
        ((503, {}, b""), "no-message"),
        ((200, {}, b"x" * 200_000), "response-too-large"),
    ],
)
def test_a_link_without_a_message_is_told_without_the_link(service, answer, code):
    service.handle["/handoff/token"] = lambda *_: answer
    service.handle["/handoff/other"] = lambda *_: pytest.fail("a redirect was followed")
    with pytest.raises(Problem) as refused:
        opening.fetch_message(f"{service.url}/handoff/token", ca=None)
    assert refused.value.code == code
    assert "token" not in refused.value.message + refused.value.hint


def test_a_link_without_tls_or_to_an_issuer_that_is_not_trusted_is_refused(service, monkeypatch):
    with pytest.raises(Problem) as refused:
        opening.fetch_message("http://localhost/handoff/token", ca=None)
    assert refused.value.code == "plain-http"
    monkeypatch.delenv("KEYFOB_CA_FILE")
    service.handle["/handoff/token"] = lambda *_: pytest.fail("it was asked for")
    with pytest.raises(Problem) as refused:
        opening.fetch_message(f"{service.url}/handoff/token", ca=None)
    assert refused.value.code == "certificate-not-trusted"


def test_the_receipt_is_sent_after_the_secret_is_stored_and_its_failure_is_only_told(handoff, service):
    taken = []

    def take(_method, _headers, body):
        taken.append((body, [path.name for path in handoff.stored()]))
        return service.say(200, {"acknowledged": True})

    receipt = handoff.receive(handoff.message())
    assert "HTTP 404" in receipt.not_acknowledged
    service.handle["/partner/v1/acknowledgements"] = take
    assert handoff.receive(handoff.message(message_id="m1")).not_acknowledged is None
    ((body, stored),) = taken
    assert stored == ["credential1.json"]
    assert b"-----BEGIN PGP SIGNED MESSAGE-----" in body
    text = body.partition(b"\n\n")[2].partition(b"-----BEGIN")[0]
    assert json.loads(text)["message_id"] == "m1"
    assert b"kfs_" not in body
