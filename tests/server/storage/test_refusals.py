"""Refusals are counted without end and recorded within a budget: they never take the room that grants need."""

from keyfob.secret import Secret
from keyfob.server.audit import events
from keyfob.server.refusals.causes import Cause
from keyfob.server.storage import refusals, schema
from keyfob.server.storage.records import TokenRefused


def refused(number=1, *, reason="wrong_secret", client_id="cl_1", unknown=None):
    presented = None if unknown is None else Secret(unknown)
    return TokenRefused("invalid_client", reason, client_id, presented, "192.0.2.9", f"request{number}")


def records(made):
    every = [events.read(entry.payload) for entry in made.store.audit_tail(100_000)]
    return [record for record in every if record["kind"] == "token_refused"]


def counts(made, now):
    with made.store.reading() as reading:
        return {(reason, client): (count, kept) for reason, client, count, kept in reading.refusals(now - now % 3600)}


def test_a_refusal_is_recorded_with_its_reason(made):
    made.store.record_refusals([refused()], made.now)
    (record,) = records(made)
    assert record["reason"] == "wrong_secret"
    assert record["client_id"] == "cl_1"
    assert record["unknown_client"] is None
    assert counts(made, made.now) == {("wrong_secret", "cl_1"): (1, 1)}


def test_all_are_counted_and_only_a_few_of_a_kind_recorded(made):
    """The boundary: the tenth is recorded, the eleventh only counted; also over several batches."""
    for _ in range(3):
        made.store.record_refusals([refused(n) for n in range(9)], made.now)
    assert len(records(made)) == refusals.RECORDS_PER_REASON
    assert counts(made, made.now) == {("wrong_secret", "cl_1"): (27, refusals.RECORDS_PER_REASON)}


def test_the_next_hour_has_a_budget_of_its_own(made):
    made.store.record_refusals([refused(n) for n in range(20)], made.now)
    made.store.record_refusals([refused(n) for n in range(20)], made.now + 3600)
    assert len(records(made)) == 2 * refusals.RECORDS_PER_REASON


def test_many_kinds_together_stay_within_the_hours_budget(made):
    batch = [
        refused(n, reason=cause, client_id=f"cl_{n}")
        for n in range(refusals.RECORDS_PER_HOUR)
        for cause in (Cause.WRONG_SECRET, Cause.CLIENT_SUSPENDED)
    ]
    made.store.record_refusals(batch, made.now)
    assert len(records(made)) == refusals.RECORDS_PER_HOUR
    assert sum(count for count, _ in counts(made, made.now).values()) == len(batch)


def test_strangers_can_never_use_up_the_room_for_those_who_have_a_secret(made):
    """However many ids and reasons are tried: the use of a revoked credential is still recorded."""
    ids = [f"cl_{n}" for n in range(refusals.RECORDS_PER_HOUR)]
    made.store.record_refusals([refused(client_id=name) for name in ids], made.now)
    assert len(records(made)) == refusals.STRANGERS_SHARE
    made.store.record_refusals([refused(reason=Cause.CREDENTIAL_REVOKED)], made.now)
    assert records(made)[-1]["reason"] == Cause.CREDENTIAL_REVOKED


def test_unknown_clients_share_one_count_however_many_ids_are_tried(made):
    made.store.record_refusals([refused(n, client_id=None, unknown=f"guess{n}") for n in range(500)], made.now)
    assert counts(made, made.now) == {("wrong_secret", ""): (500, refusals.RECORDS_PER_REASON)}


def test_an_unknown_id_is_recorded_only_as_a_keyed_hash(made):
    """It may be a secret that was pasted into the wrong field."""
    made.store.record_refusals([refused(client_id=None, unknown="pasted-by-mistake")] * 2, made.now)
    first, second = records(made)
    assert first["unknown_client"] == second["unknown_client"] is not None
    with made.store._database.read() as connection:
        content = [repr(row) for table in schema.metadata.sorted_tables for row in connection.execute(table.select())]
    assert len(content) > 10
    assert "pasted-by-mistake" not in "".join(content)


def test_refusals_change_no_revision_and_old_counts_are_dropped(made):
    revision = made.store.revision()
    made.store.record_refusals([refused()], made.now)
    assert made.store.revision() == revision
    made.store.record_refusals([refused()], made.now + refusals.KEPT_FOR + 3600)
    assert counts(made, made.now) == {}


def test_the_trail_is_whole_after_grants_and_refusals(made):
    made.store.record_refusals([refused()], made.now)
    made.store.record_grants([made.grant()], made.now + 1)
    made.store.record_refusals([refused()], made.now + 2)
    assert made.store.audit_verdict().findings == ()
