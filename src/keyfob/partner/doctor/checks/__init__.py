"""One check, one file: what is looked at, why it matters, and what mends it."""

from keyfob.partner.doctor.check import Check
from keyfob.partner.doctor.checks import (
    certificate,
    ci_files,
    clock,
    credential,
    dotfiles,
    environment,
    git_history,
    key,
    permissions,
    processes,
    proxies,
    redirects,
    scopes,
    shell_history,
    tls,
    tokens_on_disk,
    vault,
)

CHECKS: tuple[Check, ...] = (
    vault.CHECK,
    key.CHECK,
    permissions.CHECK,
    credential.CHECK,
    certificate.CHECK,
    scopes.CHECK,
    environment.CHECK,
    processes.CHECK,
    shell_history.CHECK,
    dotfiles.CHECK,
    tokens_on_disk.CHECK,
    ci_files.CHECK,
    git_history.CHECK,
    tls.CHECK,
    redirects.CHECK,
    clock.CHECK,
    proxies.CHECK,
)
"""In the order in which they are told: what lies here, what leaked, what the network does."""
