"""What the operator is told when the server starts."""

from datetime import UTC, datetime

import trustme


def test_an_expired_certificate_is_warned_of_and_the_address_is_said(new_operator, free_port_of):
    operator = new_operator()
    issued = trustme.CA().issue_cert("localhost", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    folder = operator.home / "tls"
    (folder / "server.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    (folder / "server.key").write_bytes(issued.private_key_pem.bytes())
    elsewhere = free_port_of()
    operator.serve("--port", str(elsewhere))
    assert "WARNING" in operator.log
    assert "has expired: it was valid until 2020-01-01" in operator.log
    assert f"listening host=127.0.0.1 port={elsewhere}" in operator.log
