"""A partner is taken up with what the real gpg makes: usable, or refused with the reason and the command that mends it.

The three usual kinds of key go the whole way in tests/flows/test_gpg_and_curl.py.
"""

import json
import re
import time
from pathlib import Path

import pytest

from openpgp.conftest import Gpg, gpg  # noqa: F401  # a fixture

API = "https://api.example"
DAY = 24 * 3600


@pytest.fixture(scope="module")
def keyring(gpg: Gpg) -> dict[str, str]:  # noqa: F811
    """Fingerprints of keys as partners have them, by what is the matter with them."""
    made = {
        "fine": gpg.new_key("Fine <fine@partner.example>"),
        "expired": gpg.new_key("Expired <expired@partner.example>", lifetime="2d"),
        "revoked": gpg.new_key("Revoked <revoked@partner.example>"),
        "sign-only": gpg.new_key("Signs <signs@partner.example>", encryption=None),
        "subkey expired": gpg.new_key("Subkey <subkey@partner.example>", encryption=None),
        "RSA-1024": gpg.new_key("Small <small@partner.example>", algorithm="rsa1024", encryption="rsa1024"),
        "SHA-1": gpg.new_key("Sha1 <sha1@partner.example>", "--cert-digest-algo", "SHA1"),
    }
    gpg.run("--quick-add-key", made["subkey expired"], "cv25519", "encr", "2d")
    revocation = (gpg.homedir / "openpgp-revocs.d" / f"{made['revoked']}.rev").read_bytes()
    gpg.run("--import", content=revocation[revocation.index(b":-----BEGIN") + 1 :])
    gpg.run("--quick-generate-key", "Alone <alone@partner.example>", "rsa3072", "sign,encr", "1m")
    made["no subkeys"] = gpg.fingerprint("Alone <alone@partner.example>")
    return made


def take_up(program, home, file: Path, fingerprint: str, *, name="Lab", code=0):
    options = ("--certificate", file, "--email", "lab@partner.example", "--confirm-fingerprint", fingerprint)
    return program.run("partner", "add", name, "--home", home, *options, "--json", code=code).json


REFUSED = {
    "expired": ("certificate-expired", "has expired"),
    "revoked": ("certificate-revoked", "was revoked by its owner"),
    "sign-only": ("certificate-cannot-encrypt", "it can only sign"),
    "subkey expired": ("encryption-subkey-expired", "encryption subkey of"),
    "RSA-1024": ("key-too-weak", "RSA of 1024 bits"),
    "SHA-1": ("certificate-sha1", "bound by SHA-1 signatures"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_an_unusable_certificate_is_refused_with_its_reason_and_the_command_of_the_hint_mends_it(
    program,
    home,
    tmp_path,
    gpg: Gpg,  # noqa: F811
    keyring,
    kind,
):
    file, fingerprint = tmp_path / "lab.asc", keyring[kind]
    file.write_bytes(gpg.export(fingerprint))
    program.now = int(time.time()) + 3 * DAY if "expired" in kind else program.now
    refused = take_up(program, home, file, fingerprint, code=1)
    code, words = REFUSED[kind]
    assert refused["error"] == code
    assert words in refused["message"] and str(file) in refused["message"]
    if kind in ("revoked", "RSA-1024"):
        assert "gpg --quick-generate-key 'NAME <MAIL>' rsa4096 default 1m" in refused["hint"]
        return
    # What it says is typed as it stands: what gpg has to do, and how the file is made anew.
    made = int(time.time())
    while int(time.time()) <= made:  # a newer self-signature wins, and they count in seconds
        pass
    commands = re.findall(r"gpg (--(?:cert-digest-algo SHA256 --)?quick[^,&]*)", refused["hint"])
    if "then the same with '*'" in refused["hint"]:
        commands += [f"{commands[0].strip()} '*'"]
    assert commands
    for command in commands:
        gpg.run(*(word.strip("'") for word in command.split()))
    file.write_bytes(gpg.export(fingerprint))
    assert take_up(program, home, file, fingerprint)["fingerprint"] == fingerprint


@pytest.mark.parametrize("kind", ["fine", "no subkeys", "binary"])
def test_a_usable_certificate_is_taken_up_and_what_is_sealed_to_it_opens(
    program,
    home,
    tmp_path,
    resource_file,
    gpg: Gpg,  # noqa: F811
    keyring,
    kind,
):
    fingerprint = keyring["fine" if kind == "binary" else kind]
    file = tmp_path / "lab.asc"
    file.write_bytes(gpg.run("--export", fingerprint).stdout if kind == "binary" else gpg.export(fingerprint))
    assert take_up(program, home, file, fingerprint)["outcome"] == "added"
    program.run("resource", "add", resource_file(), "--home", home)
    made = program.run(
        *("client", "create", "--home", home, "--partner", "Lab", "--name", "sync", "--scope", "a:read"),
        *("--resource", API, "--out", tmp_path / "sealed.asc", "--json"),
    ).json
    gpg.run("--import", str(home / "operator.asc"))
    opened = json.loads(gpg.run("--decrypt", str(tmp_path / "sealed.asc")).stdout)
    assert (opened["client_id"], opened["recipient_fingerprint"]) == (made["client_id"], fingerprint)


def test_a_private_key_and_two_certificates_are_refused_and_nothing_of_them_is_kept(
    program,
    home,
    tmp_path,
    gpg: Gpg,  # noqa: F811
    keyring,
):
    file = tmp_path / "lab.asc"
    file.write_bytes(gpg.export_private(keyring["fine"]))
    refused = take_up(program, home, file, keyring["fine"], code=1)
    assert refused["error"] == "private-key"
    assert "nothing of it was kept" in refused["message"] and "revoke it" in refused["hint"]
    file.write_bytes(gpg.run("--armor", "--export", keyring["fine"], keyring["no subkeys"]).stdout)
    refused = take_up(program, home, file, keyring["fine"], code=1)
    assert refused["error"] == "several-certificates"
    assert "holds 2 certificates" in refused["message"] and "gpg --armor" in refused["hint"]
    assert program.run("partner", "list", "--home", home, "--json").json == {"partners": []}
