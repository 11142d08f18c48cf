"""The options that several commands share are called alike everywhere, in the environment, too."""

import click
import pytest

from keyfob.partner.cli import cli


@pytest.mark.parametrize("name", ["receive", "call", "token", "explain", "rotate"])
def test_the_environment_names_the_vault_and_its_key(name):
    options = {one.name: one for one in cli.commands[name].params if isinstance(one, click.Option)}
    assert options["vault"].envvar == "KEYFOB_VAULT"
    assert options["key_file"].envvar == "KEYFOB_KEY_FILE"
    assert "KEYFOB_CA_FILE, SSL_CERT_FILE" in options["ca"].help
