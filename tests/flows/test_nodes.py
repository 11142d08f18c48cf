"""Many nodes are one issuer: under a steady load they come, go, die and become a newer version, and nobody notices.

One cluster for all of these, in the order of the file; see nodes.py. The last ones take the balancer's database away.
"""

import contextlib
import itertools
import json
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import inside
from flows.nodes import (
    HAPROXY,
    NAMES,
    Cluster,
    Node,
    Signer,
    balancing,
    basic,
    basic_body,
    free_port,
    join,
    new_version,
    recorded,
)
from keyfob.jose import keys
from keyfob.server.cli import cli
from mail_server import taking_mail
from server.wire.conftest import RESOURCE, until
from server.wire.test_dpop import proof
from server.wire.test_notices import configure

pytestmark = [pytest.mark.on("postgresql"), pytest.mark.skipif(HAPROXY is None, reason="no HAProxy on this machine")]

SOON = 5.0
"""Seconds within which every node has seen a change."""


@pytest.fixture(scope="module")
def database(new_postgresql):
    return new_postgresql()


@pytest.fixture(scope="module")
def mailbox(tls_files):
    with taking_mail(tls_files) as made:
        yield made


def run(*arguments):
    done = inside.run(cli, "keyfob-server", *arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def cluster(database, new_operator, mailbox, tls_files, tmp_path_factory):
    """Two nodes serve; the third is not there yet."""
    operator = new_operator(database.new_url())
    configure(operator, tls_files, mailbox, more='[http]\ntrusted_proxy = "127.0.0.1"\nproxy_speaks = "https"\n')
    info = operator.client("steady")
    key = keys.generate("ES256")
    (operator.home.parent / "steady.jwks").write_bytes(keys.write_jwks([key.public_jwk()]))
    made = operator.run(
        *("client", "create", "--partner", "Acme", "--name", "signing"),
        *("--scope", "studies:read", "--resource", RESOURCE),
        *("--auth-method", "private_key_jwt", "--jwks", operator.home.parent / "steady.jwks"),
    )
    ca = operator.home / "tls" / "ca.pem"
    nodes = {name: Node(operator.home.parent / name, free_port(), ca) for name in NAMES}
    nodes["first"].home = operator.home
    join(operator.home, nodes["second"].home, run)
    with contextlib.ExitStack() as ending, ThreadPoolExecutor(3) as pool:
        for node in nodes.values():
            ending.callback(node.stop)
        list(pool.map(lambda name: nodes[name].start(), ("first", "second")))
        control = ending.enter_context(balancing(tmp_path_factory.mktemp("balancer"), operator, nodes))
        found = Cluster(operator, nodes, info, Signer(made["client_id"], key, operator.issuer), control)
        found.wait_for("first", "second")
        yield found


def test_a_node_joins_and_another_goes_and_no_request_fails(cluster):
    third, second = cluster.nodes["third"], cluster.nodes["second"]
    with cluster.load() as load:
        join(second.home, third.home, run)
        third.start()
        cluster.wait_for(*NAMES)
        load.more()
        second.stop()
        load.more()
        assert cluster.states()["second"] != "UP"
    assert load.failed == []
    second.start()
    cluster.wait_for(*NAMES)


def test_when_a_node_is_killed_only_what_was_under_way_there_fails(cluster):
    third = cluster.nodes["third"]
    with cluster.load() as load:
        load.more()
        killed_at = time.monotonic()
        third.stop(signal.SIGKILL)
        cluster.wait_for("first", "second")
        load.more()
    assert len(load.failed) <= 4, load.failed  # one for each client
    assert all(killed_at - 0.1 <= moment < killed_at + SOON for moment, _ in load.failed), load.failed
    third.start()
    cluster.wait_for(*NAMES)


def test_nodes_become_a_newer_version_one_by_one_and_the_old_ones_go_on_beside(cluster, tmp_path):
    newer = new_version(tmp_path)
    with cluster.load() as load:
        for name in NAMES:
            node = cluster.nodes[name]
            node.stop()
            node.source = newer
            node.start()
            cluster.wait_for(*NAMES)
            load.more(10)
            if name == "first":  # the schema is the newer one now, and an old node may still come anew
                old = cluster.nodes["second"]
                old.stop()
                old.start()
                cluster.wait_for(*NAMES)
                assert "newer_schema_served" in old.log.read_text()
                cluster.operator.run("client", "list")
    assert load.failed == []


def test_a_new_signing_key_a_suspension_and_a_revocation_are_seen_by_every_node_within_five_seconds(cluster):
    nodes, operator = list(cluster.nodes.values()), cluster.operator
    doomed = operator.client("doomed")
    tokens = [node.token(doomed).document["access_token"] for node in nodes]

    def within(condition):
        """At each node a request that begins within five seconds sees it."""
        changed_at = time.monotonic()

        def sees(node):
            while True:
                began = time.monotonic()
                if condition(node):
                    return began - changed_at
                assert began - changed_at < 60

        with ThreadPoolExecutor(len(nodes)) as pool:
            assert max(pool.map(sees, nodes)) < SOON

    with cluster.load() as load:
        made = operator.run("key", "rotate")["kid"]
        within(lambda node: made in node.kids())
        operator.run("client", "suspend", doomed.client_id)
        within(lambda node: node.token(doomed).status == 401)
        operator.run("client", "resume", doomed.client_id)
        within(lambda node: node.token(doomed).status == 200)
        (credential,) = operator.run("client", "show", doomed.client_id)["credentials"]
        operator.run("client", "revoke-credential", doomed.client_id, credential["credential_id"], "--yes")
        within(lambda node: node.token(doomed).status == 401)
        assert all(operator.introspect(token) == {"active": False} for token in tokens)
    assert load.failed == []


def test_an_assertion_works_once_whichever_node_it_reaches_and_of_all_at_once_one_takes_it(cluster):
    nodes = list(cluster.nodes.values())
    asserted = cluster.signer.assertion()
    assert nodes[0].assertion(asserted).status == 200
    for node in nodes:
        assert node.assertion(asserted).status == 401
    for _ in range(3):
        asserted, together = cluster.signer.assertion(), threading.Barrier(len(nodes))

        def present(node, asserted=asserted, together=together):
            together.wait()
            return node.assertion(asserted).status

        with ThreadPoolExecutor(len(nodes)) as pool:
            assert sorted(pool.map(present, nodes)) == [200, 401, 401]


def test_who_fails_too_often_at_one_node_is_slowed_down_at_the_others(cluster):
    """Failures of a network are counted by all nodes together; a good secret from there is taken as ever."""
    first, second, _ = cluster.nodes.values()
    numbers = itertools.count()
    guesser = {"x-forwarded-for": "203.0.113.9"}

    def guess(node):
        headers = basic(cluster.info, f"kfs_wrong{next(numbers)}") | guesser
        return node.request("POST", "/oauth2/token", basic_body(), headers).status

    assert guess(first) == 401
    with ThreadPoolExecutor(4) as pool:  # faster than they are forgotten, however slow the machine is
        until(lambda: 429 in pool.map(guess, [first] * 8))
    for _ in range(25):  # half of what the second would let pass by its own count
        if guess(second) == 429:
            break
        time.sleep(0.5)  # between two looks at the condition
    else:
        pytest.fail("the second node has not heard of it")
    assert second.token(cluster.info, **guesser).status == 200


def test_a_notice_is_sent_by_one_node_and_when_that_is_killed_by_another(cluster, mailbox):
    operator = cluster.operator

    def settle():
        until(lambda: operator.run("notice", "list")["waiting"] == 0)

    def change_contact(address):
        """Two letters, to the former contact and to the operator; and who sent them."""
        for node in cluster.nodes.values():
            node.log.write_text("")
        changed = ("--certificate", operator.certificate, "--email", address)
        operator.run("partner", "renew", "Acme", *changed)
        letters = [mailbox.next()["message-id"] for _ in range(2)]
        settle()
        return letters, {name for name, node in cluster.nodes.items() if "notice_delivered" in node.log.read_text()}

    settle()
    mailbox.got.queue.clear()  # of what the tests before did
    letters, (leader,) = change_contact("one@acme.example")
    more, still = change_contact("two@acme.example")
    assert still == {leader}
    cluster.nodes[leader].stop(signal.SIGKILL)
    try:
        last, (successor,) = change_contact("three@acme.example")
    finally:
        cluster.nodes[leader].start()
    assert successor != leader
    assert len({*letters, *more, *last}) == 6 and mailbox.got.empty()
    cluster.wait_for(*NAMES)


def test_no_record_of_all_that_is_missing_and_none_is_there_twice(cluster):
    found = recorded(cluster.operator)
    assert len(cluster.granted) > 100
    assert set(cluster.granted) <= set(found)
    assert len(found) == len(set(found))
    assert cluster.operator.run("audit", "verify")["whole"] is True


def test_while_the_database_is_away_every_node_says_503_and_when_to_ask_again(cluster, database):
    nodes = list(cluster.nodes.values())
    asserted = cluster.signer.assertion()
    database.stop()
    for node in nodes:
        bound = node.token(cluster.info, dpop=proof(cluster.operator))
        for answer in (node.assertion(asserted), node.token(cluster.info), bound):
            assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    until(lambda: set(cluster.states().values()).isdisjoint({"UP"}))
    database.start()
    cluster.wait_for(*NAMES)
    # What was refused for the outage was not used up.
    assert nodes[0].assertion(asserted).status == 200
    assert nodes[1].assertion(asserted).status == 401
