"""A partner whose house is in order, at a real issuer and API; a test puts one thing out of order."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from keyfob import tls
from keyfob.ambient import system_clock, system_clock_precise
from keyfob.partner import opening
from keyfob.partner.doctor.check import Outcome
from keyfob.partner.doctor.checks import CHECKS, permissions
from keyfob.partner.doctor.network import Network
from keyfob.partner.doctor.scene import Scene
from keyfob.partner.vault.entries import Keeping
from keyfob.partner.vault.vault import Vault
from partner.planted import new_token, plant, secret, signing_key

__all__ = ["new_token", "plant", "secret", "signing_key"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """How this machine keeps its own temporary folder is not the tests' business."""
    real = permissions._replaceable
    monkeypatch.setattr(permissions, "_replaceable", lambda folder: folder.is_relative_to(tmp_path) and real(folder))


@pytest.fixture
def place(handoff, tmp_path):
    """The folders of a scene, and the vault with one credential of today."""
    folders = SimpleNamespace(handoff=handoff, vault=handoff.vault)
    for name in ("home", "folder", "temporary", "processes"):
        setattr(folders, name, tmp_path / name)
        (tmp_path / name).mkdir()
    return folders


@pytest.fixture
def store(place) -> Callable[..., None]:
    """Receives a message: today's, kept as it came, unless it is said otherwise."""

    def receive(*, keeping: Keeping = Keeping.MESSAGE, key_file=None, **changes: object) -> None:
        message = place.handoff.message(**{"issued_at": system_clock(), **changes})
        place.handoff.receive(message, keeping=keeping, key_file=key_file)

    return receive


@pytest.fixture
def scene(place, service) -> Callable[..., Scene]:
    """What the checks would look at now; the network is there only where it is asked for."""

    def make(*, online: bool = False, ahead: float = 0, **changes: object) -> Scene:
        context = tls.client_context(service.ca, environ={})

        def granted(client_id):
            return opening.granted_scopes(Vault.open(place.vault), client_id, ask=False, ca=service.ca)

        made = Scene(
            vault_name=str(place.vault),
            vault_path=place.vault,
            vault=Vault.open(place.vault) if place.vault.exists() else None,
            why_no_vault=None,
            environ={},
            home=place.home,
            folder=place.folder,
            temporary=place.temporary,
            processes=place.processes,
            network=Network(context, lambda: system_clock_precise() + ahead) if online else None,
            granted=granted if online else None,
            now=system_clock(),
        )
        return replace(made, **changes)

    return make


@pytest.fixture
def look(scene) -> Callable[..., Outcome]:
    """The outcome of one check; what a person is told of it shows no secret."""
    by_name = {check.name: check for check in CHECKS}

    def run(name: str, **changes: object) -> Outcome:
        return by_name[name].look(scene(**changes))

    return run
