"""Whose credentials the calendar looks at: with very many, only those whose time comes."""

from dataclasses import replace

from server.storage.conftest import CLIENT, CREDENTIAL, NOW, message_for

ENDS = CREDENTIAL.expires_at


def add(made, number: int, *, ends: int) -> None:
    client = replace(CLIENT, id=f"cl_{number}", name=f"client{number}")
    credential = replace(CREDENTIAL, id=f"credential{number}", client_id=client.id, expires_at=ends)
    with made.store.change(now=NOW, actor="operator:test") as change:
        change.add_client(client)
        change.record("client_created", client_id=client.id)
        change.add_credential(credential, message_for(credential))


def looked_at(made, until: int) -> set[str]:
    with made.store.reading() as reading:
        return {one.credential.id for one in reading.standings(until=until)}


def test_only_clients_of_which_something_ends_are_read_and_one_secret_of_each_partner(made):
    for number in range(10, 30):
        add(made, number, ends=ENDS + 100)
    add(made, 30, ends=ENDS - 100)
    with made.store.reading() as reading:
        assert len(reading.standings()) == 22
    assert len(looked_at(made, ENDS - 101)) == 1, "which says that the partner has any"
    found = looked_at(made, ENDS - 100)
    assert "credential30" in found and len(found) <= 2


def test_of_a_client_everything_is_read_also_the_successor_that_ends_late(made):
    """Else a second one would be made beside it."""
    successor = replace(CREDENTIAL, id="successor", expires_at=ENDS + 10_000_000, replaces=CREDENTIAL.id)
    with made.store.change(now=NOW, actor="operator:test") as change:
        change.record("credential_sealed", credential_id="successor")
        change.add_credential(successor, message_for(successor))
    assert looked_at(made, ENDS) == {CREDENTIAL.id, "successor"}
