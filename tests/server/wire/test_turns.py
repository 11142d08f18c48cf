"""What is kept in memory is never older than the turn of the loop in which it is asked for, and is asked for once."""

import asyncio
import os

from keyfob.ambient import system_clock, system_entropy
from keyfob.server import installation
from keyfob.server.state import ServerState
from keyfob.server.storage.records import State


def test_a_change_is_seen_by_the_next_turn_of_the_loop(new_operator, monkeypatch):
    operator = new_operator()
    client_id = operator.client("turned").client_id
    opened = installation.open(operator.home, environ=os.environ, entropy=system_entropy)
    state = ServerState(opened, clock=system_clock, entropy=system_entropy)
    asked = []
    revision = opened.store.revision
    monkeypatch.setattr(opened.store, "revision", lambda: asked.append(1) or revision())

    def found() -> State:
        return state.find_client(client_id, address="192.0.2.1").client.state

    async def play() -> None:
        assert (found(), found(), len(asked)) == (State.ACTIVE, State.ACTIVE, 1)
        operator.run("client", "suspend", client_id)
        await asyncio.sleep(0)
        assert (found(), found(), len(asked)) == (State.SUSPENDED, State.SUSPENDED, 2)
        await state.close()

    asyncio.run(play())
    assert found() is State.SUSPENDED, "without a loop, each time"
