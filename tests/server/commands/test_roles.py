"""Roles hold on the home as they do from afar: an auditor looks, and changes nothing."""

import time

import pytest

from keyfob import command
from keyfob.ambient import system_entropy
from keyfob.problem import Misuse, Problem
from keyfob.server import installation as installations
from keyfob.server.admin import local
from keyfob.server.admin.desk import Desk
from keyfob.server.admin.performing import perform
from keyfob.server.admin.table import OPERATIONS
from keyfob.server.audit.events import Actor
from keyfob.server.installation import Plan
from keyfob.server.lifecycle import operators
from keyfob.server.storage.records import Role

KEYGEN = ("operator", "keygen", "--out", "ada.pem", "--public", "ada.json")
ACTS = (
    ("client", "suspend", "cl_none"),
    ("client", "create", "--partner", "Acme", "--name", "x", "--scope", "a:read", "--resource", "https://a.example"),
    ("key", "rotate"),
    ("notice", "retry", "--all"),
    ("registration", "withdraw", "none"),
    ("backup", "copy"),
    ("move-store", "--to", "sqlite:///moved.db"),
    ("key", "rewrap", "--kek", "file"),
    ("alarm", "secret", "--out", "webhook.secret"),
)
LOOKS = (("client", "list"), ("status",), ("audit", "verify"), ("export", "exported"), ("notice", "list"))


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """The desk of a home for whoever the system says acts: `first` its operator, `ada` its auditor."""
    folder, now = tmp_path_factory.mktemp("roles") / "home", int(time.time())
    plan = Plan("https://localhost:8443", None, None, None, None, "first", None)
    by = Actor("operator:first")
    installations.create(folder, plan, now=now, entropy=system_entropy, actor=by, environ={})
    found = installations.open(folder, environ={}, entropy=system_entropy)
    with found.store.change(now=now, actor=by) as change:
        operators.add(change, operators.new("ada", Role.AUDITOR, None, now=now, entropy=system_entropy))

    def of(name: str) -> Desk:
        actor = local.identify(found, system_user=name, key=None, reason=None)
        return Desk(found, actor, lambda: now, system_entropy, tuple, lambda: None, None)

    yield of
    found.close()


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.acts], ids=lambda one: one.name)
def test_an_auditor_is_refused_each_act_before_anything_is_looked_at(desk, operation):
    with pytest.raises(Problem) as refused:
        perform(desk("ada"), operation, object())
    assert refused.value.code == "role"


def test_a_user_of_the_system_who_is_no_operator_gets_no_desk(desk):
    with pytest.raises(Misuse) as refused:
        desk("stranger")
    assert refused.value.code == "no-operator"


def test_an_auditor_looks_and_changes_nothing_at_the_command_line(program, home, tmp_path):
    program.run(*KEYGEN)
    program.run("operator", "add", "ada", "--role", "auditor", "--jwks", "ada.json", "--home", home)
    before = program.run("audit", "tail", "--home", home, "--json").json["records"]
    for arguments in ACTS:
        shown = program.run(*arguments, "--home", home, "--operator-key", "ada.pem", "--json", code=1)
        assert shown.json["error"] == "role", arguments
    assert {one.name for one in tmp_path.iterdir()} == {"operator", "ada.pem", "ada.json"}
    for arguments in LOOKS:
        program.run(*arguments, "--home", home, "--operator-key", "ada.pem")
    assert program.run("audit", "tail", "--home", home, "--json").json["records"] == before


def test_what_is_done_on_the_home_alone_stands_in_the_audit_with_operator_and_user(program, home, tmp_path):
    program.run(*KEYGEN)
    program.run("operator", "add", "ada", "--jwks", "ada.json", "--home", home)
    program.run("backup", tmp_path / "copy", "--home", home, "--operator-key", "ada.pem", "--reason", "nightly")
    newest = program.run("audit", "tail", "--home", home, "--json").json["records"][-1]
    assert (newest["kind"], newest["actor"], newest["reason"]) == ("backup_started", "operator:ada", "nightly")
    assert newest["os_user"] == command.system_user()
