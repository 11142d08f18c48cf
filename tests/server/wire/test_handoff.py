"""A link to a sealed message: what whoever has it gets, and how often. Fetched by curl, as a person would."""

import re
import shutil
import subprocess
import threading
from urllib.parse import urlsplit

import pytest

RESOURCE = "https://api.example"
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture(scope="module")
def offered(new_operator):
    """A server, and `.make(name)`: a client with a link."""
    operator = new_operator()
    operator.serve()

    def make(name):
        out = operator.home.parent / f"{name}.asc"
        arguments = ("--partner", "Acme", "--name", name, "--scope", "studies:read", "--resource", RESOURCE)
        return operator.run("client", "create", *arguments, "--out", out, "--link")

    operator.make = make
    return operator


def path_of(link):
    return urlsplit(link).path


def curl(operator, url, *options):
    command = ["curl", "--silent", "--show-error", "--cacert", str(operator.home / "tls" / "ca.pem"), *options, url]
    return subprocess.run(command, capture_output=True, timeout=30)


def test_the_page_uses_nothing_up_and_the_message_comes_five_times(offered):
    made = offered.make("five")
    path = path_of(made["link"])
    for method in ("GET", "HEAD", "GET", "GET", "GET", "GET", "GET"):
        assert offered.request(method, path).status == 200
    assert b"can be used 5 more" in offered.request("GET", path).body
    file = (offered.home.parent / "five.asc").read_bytes()
    for _ in range(5):
        done = curl(offered, made["link"], "--request", "POST", "--fail")
        assert (done.returncode, done.stdout) == (0, file), done.stderr
    assert offered.open(offered.home.parent / "five.asc").client_id == made["client_id"]
    for method in ("GET", "POST"):
        used_up, unknown = offered.request(method, path), offered.request(method, f"/handoff/{'A' * 43}")
        assert (used_up.status, used_up.body) == (404, unknown.body)
        assert {**used_up.headers, "keyfob-request-id": ""}.keys() == unknown.headers.keys()


def test_the_page_is_for_people_and_asks_nothing_of_anybody(offered):
    made = offered.make("page")
    answer = offered.request("GET", path_of(made["link"]))
    policy, page = answer.headers["content-security-policy"], answer.body.decode()
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy and "script" not in policy
    assert not re.search(r"<script|javascript:|src=|href=| on[a-z]+=", page)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    fingerprint = offered.run("partner", "show", "Acme")["fingerprint"]
    assert fingerprint in page.replace(" ", "")
    assert made["operator_fingerprint"] not in page.replace(" ", ""), "it must come by another way"
    assert "keyfob receive" in page and "gpg --decrypt" in page


def test_the_token_is_kept_nowhere(offered):
    made = offered.make("kept")
    path = path_of(made["link"])
    token = path.rpartition("/")[2]
    for method in ("GET", "POST", "PUT"):
        offered.request(method, path)
    offered.request("GET", f"{path}?a=1")
    assert token not in offered.log
    assert "route=/handoff/{name}" in offered.log or "request" not in offered.log
    assert token not in str(offered.audit())
    for file in offered.home.glob("keyfob.db*"):
        assert token.encode() not in file.read_bytes()


def test_what_was_fetched_is_seen(offered):
    made = offered.make("seen")
    offered.request("POST", path_of(made["link"]))
    kinds = [one["kind"] for one in offered.audit() if one.get("credential_id") == made["credential_id"]]
    assert kinds == ["credential_sealed", "handoff_link_made", "message_delivered"]
    shown = offered.run("client", "show", made["client_id"])["credentials"][0]
    assert shown["delivered_from"] == "127.0.0.1"
    assert shown["delivered_at"] is not None


def test_of_twenty_at_once_five_get_it(offered):
    path = path_of(offered.make("race")["link"])
    found = []
    threads = [threading.Thread(target=lambda: found.append(offered.request("POST", path).status)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200] * 5 + [404] * 15


def test_a_link_ends_with_the_secret_that_it_leads_to(offered):
    made = offered.make("ended")
    offered.run("client", "suspend", made["client_id"])
    assert offered.request("GET", path_of(made["link"])).status == 404
    offered.run("client", "resume", made["client_id"])
    assert offered.request("GET", path_of(made["link"])).status == 200
    rotate = ("client", "rotate", made["client_id"], "--out")
    replaced = offered.run(*rotate, offered.home.parent / "replaced.asc", "--link")
    assert offered.request("GET", path_of(replaced["link"])).status == 200
    offered.run(*rotate, offered.home.parent / "replacing.asc")
    assert offered.request("POST", path_of(replaced["link"])).status == 404


@pytest.mark.parametrize("path", ["/handoff/", "/handoff/x", "/handoff/%2e%2e", f"/handoff/{'A' * 44}", "/handoff/a/b"])
def test_what_is_no_token_is_not_found(offered, path):
    for method in ("GET", "POST"):
        assert offered.request(method, path).status == 404


def test_the_link_stands_at_the_issuer(offered):
    link = urlsplit(offered.make("where")["link"])
    assert f"{link.scheme}://{link.netloc}" == offered.issuer
    assert re.fullmatch(r"/handoff/[A-Za-z0-9_-]{43}", link.path)
