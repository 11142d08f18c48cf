"""SIGKILL at a hundred random moments under load: every token that a client saw is in the audit, and it is whole."""

from nursery import nursery


def test_every_token_that_was_seen_is_in_the_audit(new_operator, load, moments):
    operator = new_operator()
    info = operator.client("killed")
    seen: list[object] = []

    def send() -> object:
        answer = operator.token(info, scope="studies:read")
        assert answer.status == 200
        return answer.headers["keyfob-request-id"]

    log = operator.home.parent / "server.log"
    with nursery("keyfob.server.cli", "keyfob.server.serve", log=log) as servers:
        for number, enough in enumerate(moments):
            where = ("--home", operator.home, "--port", operator.port)
            process = servers.start("serve", *where, ready=operator.issuer)
            running = load(send, enough)
            running.until_killed(process)
            seen += running.acknowledged
            if number % 20 == 0:
                assert operator.run("audit", "verify")["whole"] is True
    verdict = operator.run("audit", "verify")
    assert verdict["whole"] is True
    recorded = {record.get("request_id") for record in operator.audit(100_000)}
    assert len(seen) >= sum(moments)
    assert set(seen) <= recorded
