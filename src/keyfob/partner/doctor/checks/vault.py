"""The vault is there, is one, and every entry in it can be read."""

from keyfob.partner.doctor.check import Check, Outcome, failed, passed, warned
from keyfob.partner.doctor.scene import Scene
from keyfob.problem import Problem


def _look(scene: Scene) -> Outcome:
    if scene.vault is None:
        problem = scene.why_no_vault
        if problem is None or problem.code == "no-vault":
            return warned(f"there is no vault at {scene.vault_name}", "keyfob receive FILE")
        return failed(problem.message, problem.hint)
    clients = scene.vault.clients()
    try:
        damaged = [path for client_id in clients for path in scene.vault.damaged(client_id)]
        count = sum(len(scene.vault.entries(client_id)) for client_id in clients)
    except Problem as problem:
        return failed(problem.message, problem.hint)
    if damaged:
        return failed(
            f"{len(damaged)} of its files cannot be read", "keyfob receive FILE (the newest message)", damaged
        )
    return passed(f"{scene.vault_name}: credentials {count}, clients {', '.join(clients) or 'none'}")


CHECK = Check("vault", "A secret that lies anywhere else than in the vault is one that nobody watches over.", _look)
