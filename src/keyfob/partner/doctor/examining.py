"""The scene of this machine, and every check on it: the composition root of `keyfob doctor`."""

import os
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

from keyfob import ambient, tls
from keyfob.partner.doctor.check import Outcome, Status
from keyfob.partner.doctor.checks import CHECKS
from keyfob.partner.doctor.network import Network
from keyfob.partner.doctor.report import Told
from keyfob.partner.doctor.scene import Scene
from keyfob.partner.opening import granted_scopes
from keyfob.partner.places import default_vault
from keyfob.partner.scope_use import GrantedScope
from keyfob.partner.vault import stores
from keyfob.partner.vault.vault import Vault
from keyfob.problem import Misuse, Problem

NAMES = tuple(check.name for check in CHECKS)


def examine(
    scene: Scene,
    *,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    reach: Callable[[float], None] = lambda _share: None,
) -> tuple[Told, ...]:
    """What came of each check; `reach` is told which share of them is done. Raises Misuse for a name that is none."""
    for name in (*only, *skip):
        if name not in NAMES:
            raise Misuse("no-such-check", f"there is no check {name}", hint=f"the checks: {', '.join(NAMES)}")
    chosen = [check for check in CHECKS if check.name not in skip and (not only or check.name in only)]
    told: list[Told] = []
    for check in chosen:
        reach(len(told) / len(chosen))
        try:
            outcome = check.look(scene)
        except (Problem, OSError) as stopped:
            # What stops one check must not keep the others from being told.
            hint = stopped.hint if isinstance(stopped, Problem) else ""
            outcome = Outcome(Status.FAIL, f"the check could not be made: {stopped}", hint)
        told.append(Told(check, outcome))
    return tuple(told)


def this_machine(*, vault: str | None, ca: Path | None, offline: bool) -> Scene:
    """The scene as this process sees it. Raises Problem for a file of authorities that cannot be used."""
    named = vault or default_vault(os.environ)
    found: Vault | None = None
    problem: Problem | None = None
    try:
        found = Vault.open(named)
    except Problem as why:
        problem = why
    context = None if offline else tls.client_context(ca, environ=os.environ)

    def granted(client_id: str) -> tuple[GrantedScope, ...]:
        assert found is not None
        return granted_scopes(found, client_id, ask=False, ca=ca)

    return Scene(
        vault_name=stores.shown(named),
        vault_path=stores.local_path(named),
        vault=found,
        why_no_vault=problem,
        environ=os.environ,
        home=_home(),
        folder=Path.cwd(),
        temporary=_temporary(),
        processes=Path("/proc"),
        network=None if context is None else Network(context, ambient.system_clock_precise),
        granted=None if context is None else granted,
        now=ambient.system_clock(),
    )


def _home() -> Path:
    """In a container a user may have none: then there is nothing to look at."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/nonexistent")


def _temporary() -> Path:
    """Where programs leave things; on a read-only root file system nobody can now, and somebody may have before."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return Path("/tmp")  # noqa: S108  # it is looked at, not written to
