"""What the store promises: a change and its record together or not at all, and nothing acknowledged is lost."""

import subprocess
import sys
from dataclasses import replace

import pytest
import sqlalchemy as sa

from keyfob.problem import Misuse
from keyfob.server.audit import events
from keyfob.server.audit.events import Kind
from keyfob.server.storage.records import ResourceGrant, State


def recorded(store, count=100):
    return [events.read(entry.payload) for entry in store.audit_tail(count)]


def kinds(store):
    return [record["kind"] for record in recorded(store)]


def add_successor(made, **changed):
    successor = replace(made.credential, id="credential2", replaces="credential1", created_at=made.now + 1, **changed)
    with made.store.change(now=made.now + 1, actor="operator:test") as change:
        change.add_credential(successor, made.message_for(successor))
        change.record(Kind.CREDENTIAL_SEALED, credential_id="credential2")
    return successor


def test_what_was_written_is_read_back(made):
    view = made.store.find_client("cl_1")
    assert view.client == made.client
    assert view.partner_state is State.ACTIVE
    assert view.credentials == (made.credential,)
    assert view.credential("credential1") == made.credential
    assert view.credential("another") is None
    assert made.store.resources() == (made.resource,)
    assert made.store.find_client("cl_2") is None
    with made.store.reading() as reading:
        assert reading.find_partner("Acme") == made.partner
        assert reading.partner_of(made.client) == made.partner
        assert reading.find_message("credential1") == made.message_for(made.credential)
        assert reading.clients() == reading.clients(partner_id="ptr_1") == (made.client,)


def test_a_client_without_studies_or_default_scope_keeps_none(made):
    """An absent grant never comes back as "all"."""
    other = replace(
        made.client,
        id="cl_2",
        name="other",
        authorization_details=(),
        grants=(ResourceGrant(made.api, frozenset({"a:read"}), None),),
    )
    add_client(made, other)
    assert made.store.find_client("cl_2").client == other


def revoke(made, *, recorded=True, then=lambda: None):
    with made.store.change(now=made.now, actor="operator:test") as change:
        change.set_client_state("cl_1", State.REVOKED)
        if recorded:
            change.record(Kind.CLIENT_REVOKED, client_id="cl_1")
        then()


def add_client(made, client):
    with made.store.change(now=made.now, actor="operator:test") as change:
        change.add_client(client)
        change.record(Kind.CLIENT_CREATED, client_id=client.id)


def fail():
    raise RuntimeError


def test_a_change_that_fails_leaves_neither_the_change_nor_its_record(made):
    before, revision = kinds(made.store), made.store.revision()
    with pytest.raises(RuntimeError):
        revoke(made, then=fail)
    assert made.store.find_client("cl_1").client.state is State.ACTIVE
    assert kinds(made.store) == before
    assert made.store.revision() == revision


def test_a_change_without_a_record_is_not_committed(made):
    with pytest.raises(AssertionError):
        revoke(made, recorded=False)
    assert made.store.find_client("cl_1").client.state is State.ACTIVE


NO_RECORD = {
    "sqlite": ["CREATE TRIGGER no BEFORE INSERT ON audit_record BEGIN SELECT RAISE(ABORT, 'x'); END"],
    "postgresql": ["ALTER TABLE audit_record ADD CHECK (at < 0) NOT VALID"],
}


def test_a_change_whose_record_cannot_be_written_is_not_committed(made):
    with made.store._database.write() as connection:
        for statement in NO_RECORD[connection.dialect.name]:
            connection.execute(sa.text(statement))
    with pytest.raises((sa.exc.IntegrityError, sa.exc.InternalError)):
        revoke(made)
    assert made.store.find_client("cl_1").client.state is State.ACTIVE


def test_a_scope_that_the_registry_does_not_know_cannot_be_granted(made):
    """The last line of defence is the database's own."""
    typo = replace(made.client, id="cl_2", name="n", grants=(ResourceGrant(made.api, frozenset({"a:raed"}), None),))
    with pytest.raises(sa.exc.IntegrityError):
        add_client(made, typo)
    assert made.store.find_client("cl_2") is None


def test_two_living_clients_of_a_partner_never_share_a_name(made):
    with pytest.raises(sa.exc.IntegrityError):
        add_client(made, replace(made.client, id="cl_2"))


def test_each_change_of_rights_is_a_new_revision_and_a_plain_use_is_not(made):
    revision = made.store.revision()
    made.store.record_grants([made.grant(1)], made.now + 5)
    assert made.store.revision() == revision + 1, "a first use changes what a cache must know"
    made.store.record_grants([made.grant(2)], made.now + 6)
    assert made.store.revision() == revision + 1


def test_a_batch_of_grants_is_recorded_one_by_one_and_observed(made):
    made.store.record_grants([made.grant(1), made.grant(2, address="192.0.2.8")], made.now + 5)
    assert kinds(made.store)[-3:] == ["token_issued", "credential_first_used", "token_issued"]
    issued = recorded(made.store)[-1]
    assert issued["jti"] == "jti2"
    assert issued["actor"] == "client:cl_1"
    assert issued["scope"] == ["a:read"]
    assert "S.1" in issued["authorization_details"]
    credential = made.store.find_client("cl_1").credentials[0]
    assert (credential.first_used_at, credential.first_used_from) == (made.now + 5, "192.0.2.7")
    assert (credential.last_used_at, credential.last_used_from) == (made.now + 5, "192.0.2.8")


def test_an_empty_batch_writes_nothing(made):
    before = made.store.audit_head()
    made.store.record_grants([], made.now)
    made.store.record_refusals([], made.now)
    assert made.store.audit_head() == before


def test_the_successors_first_use_starts_the_overlap_of_the_old_credential(made):
    add_successor(made, overlap=500)
    assert made.store.find_client("cl_1").credential("credential1").state is State.ACTIVE
    made.store.record_grants([made.grant(1, credential_id="credential2")], made.now + 60)
    old = made.store.find_client("cl_1").credential("credential1")
    assert (old.state, old.overlap_ends_at) == (State.RETIRING, made.now + 560)
    made.store.record_grants([made.grant(2, credential_id="credential2")], made.now + 90)
    assert made.store.find_client("cl_1").credential("credential1").overlap_ends_at == made.now + 560
    assert kinds(made.store).count("credential_retiring") == 1


def test_the_old_credentials_own_use_starts_no_overlap(made):
    add_successor(made)
    made.store.record_grants([made.grant(1)], made.now + 60)
    assert {one.state for one in made.store.find_client("cl_1").credentials} == {State.ACTIVE}


def test_an_updated_resource_keeps_its_date_and_takes_new_scopes(made):
    changed = replace(made.resource, scopes=(*made.resource.scopes, ("c:write", "Write c")), added_at=made.now + 9)
    with made.store.change(now=made.now + 9, actor="operator:test") as change:
        change.put_resource(changed)
        change.record(Kind.RESOURCE_CHANGED, resource=made.api)
    (found,) = made.store.resources()
    assert found.scope == {"a:read", "b:read", "c:write"}
    assert found.added_at == made.now


@pytest.mark.on("sqlite")
def test_a_copy_is_consistent_and_never_overwrites(made, tmp_path):
    made.store.copy_to(tmp_path / "copy.db")
    copied = made.open(tmp_path / "copy.db")
    assert copied.audit_verdict(expect=made.store.audit_head()).findings == ()
    copied.close()
    with pytest.raises(Misuse):
        made.store.copy_to(tmp_path / "copy.db")


WRITER = """
for number in range(40):
    store.record_grants([given.grant(f"{sys.argv[2]}-{number}-{k}") for k in range(3)], given.NOW + number)
"""


def test_two_processes_write_whole_chains(made, worker):
    """Each reads the head inside its write transaction, so that two records never follow one."""
    others = [
        subprocess.Popen([sys.executable, "-c", worker + WRITER, str(made.path), name]) for name in ("one", "two")
    ]
    assert [other.wait(120) for other in others] == [0, 0]
    verdict = made.store.audit_verdict()
    assert verdict.findings == ()
    assert kinds_of_all(made).count("token_issued") == 2 * 40 * 3


def kinds_of_all(made):
    return [record["kind"] for record in recorded(made.store, 10_000)]


ACKNOWLEDGING = """
number = 0
while True:
    number += 1
    store.record_grants([given.grant(number)], given.NOW + number)
    print(number, flush=True)
"""


def test_after_a_kill_every_acknowledged_grant_is_there_and_the_chain_is_whole(made, worker):
    for acknowledged in (1, 4, 9):
        before = kinds_of_all(made).count("token_issued")
        other = subprocess.Popen(
            [sys.executable, "-c", worker + ACKNOWLEDGING, str(made.path)], stdout=subprocess.PIPE, text=True
        )
        seen = [other.stdout.readline() for _ in range(acknowledged)]
        other.kill()
        seen += other.stdout.readlines()
        other.wait()
        other.stdout.close()
        whole = [line for line in seen if line.endswith("\n")]
        assert made.store.audit_verdict().findings == ()
        assert kinds_of_all(made).count("token_issued") - before >= len(whole)


FULL_DISK = """
import resource
size = Path(sys.argv[1] + "-wal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 60_000, size + 60_000))
number = 0
try:
    while True:
        number += 1
        store.record_grants([given.grant(number)], given.NOW + number)
except BaseException as failed:
    print(number - 1, type(failed).__name__, getattr(failed, "code", ""))
"""


@pytest.mark.on("sqlite")
@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_on_a_full_disk_a_grant_fails_and_what_was_acknowledged_stays(made, worker):
    """Fail closed: no evidence, no token."""
    found = subprocess.run(
        [sys.executable, "-c", worker + FULL_DISK, str(made.path)], capture_output=True, text=True, check=True
    )
    count, error, _ = (found.stdout.strip() + " ").split(" ", 2)
    assert error in ("Problem", "OperationalError"), found.stdout
    assert int(count) > 0
    assert kinds_of_all(made).count("token_issued") == int(count)
    assert made.store.audit_verdict().findings == ()


def test_no_statement_s_values_stand_in_an_error(made):
    """An error of the database ends in logs."""
    with pytest.raises(sa.exc.IntegrityError) as failed, made.store.change(now=made.now, actor="o") as change:
        change.add_partner(replace(made.partner, id="ptr_2", email="private@acme.example"))
    assert "private@" not in str(failed.value)


@pytest.mark.on("sqlite")
def test_the_database_is_its_owners_alone(made):
    if sys.platform != "win32":
        assert made.path.stat().st_mode & 0o077 == 0


def test_credentials_come_in_the_order_of_their_making_also_within_one_second(made):
    """Which one a rotation replaces depends on it; ids are random."""
    for name in ("zzzzzzzz", "aaaaaaaa", "mmmmmmmm"):
        credential = replace(made.credential, id=name)
        with made.store.change(now=made.now, actor="operator:test") as change:
            change.add_credential(credential, made.message_for(credential))
            change.record(Kind.CREDENTIAL_SEALED, credential_id=name)
    found = made.store.find_client("cl_1").credentials
    assert [one.id for one in found] == ["credential1", "zzzzzzzz", "aaaaaaaa", "mmmmmmmm"]
