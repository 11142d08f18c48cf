"""What the checks look at: values, read once. The composition root is `keyfob.partner.doctor.command`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from keyfob.partner.doctor.network import Network
from keyfob.partner.scope_use import GrantedScope
from keyfob.partner.vault.entries import Entry
from keyfob.partner.vault.vault import Vault
from keyfob.problem import Problem

DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Scene:
    """`vault` None: `why_no_vault` says why. `vault_path` None: it lies on no disk of this machine.

    `network` None: nothing may be sent. `temporary` is the system's folder, `processes` where it shows what
    runs (/proc, where there is one). `granted` asks the issuer what a client holds and used; None where `network` is.
    """

    vault_name: str
    vault_path: Path | None
    vault: Vault | None
    why_no_vault: Problem | None
    environ: Mapping[str, str]
    home: Path
    folder: Path
    temporary: Path
    processes: Path
    network: Network | None
    granted: Callable[[str], tuple[GrantedScope, ...]] | None
    now: int

    def entries(self) -> tuple[Entry, ...]:
        """The current credential of each client of the vault that can be read."""
        if self.vault is None:
            return ()
        found = (self.vault.entries(client_id)[:1] for client_id in self.vault.clients())
        return tuple(entry for one in found for entry in one)

    def key_file(self, entry: Entry) -> Path:
        """What opens the envelope of `entry` that is under a key file, as a call finds it: on another machine than it
        was received on, that is named."""
        named = self.environ.get("KEYFOB_KEY_FILE") or entry.opened_with
        return Path(named or f"{self.vault_path or self.vault_name}.key")

    def issuers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(entry.issuer for entry in self.entries()))

    def resources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(resource for entry in self.entries() for resource in entry.resource))
