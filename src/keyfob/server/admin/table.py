"""The one table of operations. Router, OpenAPI, the tests' scope matrix and the command line's far end come from it.

An operation that is not here is not served.
"""

from typing import Any

from keyfob.server.admin import (
    alarms,
    announcements,
    audits,
    client_changes,
    clients,
    declarations,
    endings,
    keys,
    new_clients,
    notices,
    operators,
    partner_webhooks,
    partners,
    performing,
    proposals,
    registrations,
    resources,
    standing,
    usage,
)
from keyfob.server.admin.operation import Operation
from keyfob.server.admin.proposals import OneProposal

APPROVE = Operation(
    "proposal.approve",
    "approve",
    "POST",
    "/admin/v1/proposals/{proposal_id}/approve",
    "admin:approve",
    OneProposal,
    performing.approver(lambda name: BY_NAME[name]),
    "Approve what another operator proposed, which does it",
)

OPERATIONS: tuple[Operation[Any], ...] = (
    *operators.OPERATIONS,
    *partners.OPERATIONS,
    *partner_webhooks.OPERATIONS,
    *resources.OPERATIONS,
    *clients.OPERATIONS,
    *usage.OPERATIONS,
    *new_clients.OPERATIONS,
    *client_changes.OPERATIONS,
    *endings.OPERATIONS,
    *registrations.OPERATIONS,
    *declarations.OPERATIONS,
    *keys.OPERATIONS,
    *standing.OPERATIONS,
    *audits.OPERATIONS,
    *alarms.OPERATIONS,
    *notices.OPERATIONS,
    *announcements.OPERATIONS,
    proposals.LIST,
    proposals.REJECT,
    APPROVE,
)

BY_NAME: dict[str, Operation[Any]] = {one.name: one for one in OPERATIONS}
