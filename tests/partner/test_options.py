"""The options that several commands share are called alike everywhere, in the environment, too."""

import click
import pytest

from keyfob.partner import places
from keyfob.partner.cli import cli
from keyfob.problem import Misuse


@pytest.mark.parametrize("name", ["receive", "call", "token", "explain", "rotate"])
def test_the_environment_names_the_vault_and_its_key(name):
    options = {one.name: one for one in cli.commands[name].params if isinstance(one, click.Option)}
    assert options["vault"].envvar == "KEYFOB_VAULT"
    assert options["key_file"].envvar == "KEYFOB_KEY_FILE"
    assert "KEYFOB_CA_FILE, SSL_CERT_FILE" in options["ca"].help


def test_a_user_without_a_home_is_asked_to_name_the_vault(monkeypatch):
    """As a container's may be."""

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(places.Path, "home", homeless)
    assert places.default_vault({"KEYFOB_VAULT": "file:v"}) == "file:v"
    assert str(places.default_vault({"XDG_DATA_HOME": "/data"})) == "/data/keyfob"
    with pytest.raises(Misuse, match="no home"):
        places.default_vault({})


def commands(group, *path):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield " ".join((*path, name)), command


def test_every_command_can_answer_a_program_in_json():
    """But for the one that answers as its child does, and the one that answers to nobody until it ends."""
    without = {
        name for name, command in commands(cli) if "--json" not in [one for p in command.params for one in p.opts]
    }
    assert without == {"run", "broker"}
