"""`keyfob-guard`, as the developer of an API runs it."""

import json
import os

import pytest
from click.testing import CliRunner

from keyfob.guard import Guard
from keyfob.guard.cli import cli
from keyfob.jose import keys
from keyfob.jose.client_keys import ClientKeys
from keyfob.oauth import resource_metadata
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret

DESCRIBED = {
    "resource": "https://api.example",
    "authorization_servers": ["https://auth.example"],
    "scopes_supported": ["orders:read"],
    "x-mine": "stays",
}


@pytest.fixture
def resource(tmp_path):
    path = tmp_path / "orders.json"
    path.write_text(json.dumps(DESCRIBED))
    return path


def make(resource, out):
    return CliRunner().invoke(cli, ["key", str(resource), "--out", str(out), "--json"], catch_exceptions=False)


def test_a_key_is_made_whose_public_half_is_registered_and_whose_private_half_is_private(resource, tmp_path):
    out = tmp_path / "key.pem"
    kid = json.loads(make(resource, out).stdout)["kid"]
    assert keys.load(Secret(out.read_bytes())).kid == kid
    assert os.name != "posix" or out.stat().st_mode & 0o777 == 0o600
    registered = resource_metadata.read(resource.read_bytes())
    assert [key["kid"] for key in registered.jwks["keys"]] == [kid]
    assert json.loads(resource.read_text())["x-mine"] == "stays"
    assert "PRIVATE" not in resource.read_text()


def test_a_second_key_stands_beside_the_first(resource, tmp_path):
    made = [json.loads(make(resource, tmp_path / f"{number}.pem").stdout)["kid"] for number in range(2)]
    found = ClientKeys.parse(json.dumps(json.loads(resource.read_text())["jwks"]).encode())
    assert [key.thumbprint for key in found.keys] == made


def test_nothing_is_overwritten_and_a_file_that_describes_no_api_is_refused(resource, tmp_path):
    out = tmp_path / "key.pem"
    make(resource, out)
    before = (out.read_bytes(), resource.read_bytes())
    with pytest.raises(Misuse, match="already exists"):
        make(resource, out)
    assert (out.read_bytes(), resource.read_bytes()) == before
    for content in ("", "[]", "{}", json.dumps(DESCRIBED | {"scopes_supported": []})):
        resource.write_text(content)
        with pytest.raises(Misuse, match="orders"):
            make(resource, tmp_path / "other.pem")
        assert not (tmp_path / "other.pem").exists()


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_a_guard_takes_the_file_and_refuses_one_that_others_can_read(resource, tmp_path, issuer):
    out = tmp_path / "key.pem"
    make(resource, out)
    assert Guard.discover(issuer.url, audience="https://api.example", ca_file=issuer.ca, resource_key=str(out))
    out.chmod(0o644)
    with pytest.raises(Problem, match="read by other users"):
        Guard.discover(issuer.url, audience="https://api.example", ca_file=issuer.ca, resource_key=out)
    with pytest.raises(Misuse, match="cannot be read"):
        Guard.discover(issuer.url, audience="https://api.example", ca_file=issuer.ca, resource_key=tmp_path / "no")


@pytest.mark.parametrize("named", ["", "lb.example", "0.0.0.0/0", "10.0.0.0/8", "10.42.0.1/16", "192.0.2.1,192.0.2.2"])
def test_a_service_for_a_proxy_does_not_start_where_the_proxy_is_anybody(named):
    command = ["serve", "--issuer", "https://a.example", "--resource", "https://b.example", "--routes", "none.json"]
    with pytest.raises(Misuse, match="--trusted-proxy "):
        CliRunner().invoke(
            cli, [*command, "--trusted-proxy", "192.0.2.1", "--trusted-proxy", named], catch_exceptions=False
        )
