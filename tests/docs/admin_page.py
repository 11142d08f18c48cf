"""docs/reference/admin-api.md, out of the table of operations."""

from keyfob.server.admin.table import OPERATIONS
from keyfob.server.lifecycle.operators import SCOPES, SCOPES_OF
from keyfob.server.storage.records import Role

_OPENING = """# The admin API

What an operator can ask a server for, under the issuer's URL; `/admin/v1/openapi.json` there describes it to programs
(OpenAPI 3.1). A token is had from the token endpoint by an operator's key (`private_key_jwt`, RFC 7523): `client_id` is
`op_` and the key's thumbprint (RFC 7638), `resource` is `ISSUER/admin`, and one scope is enough. No client of a partner
gets such a token, and such a token opens nothing else.

- An act takes `Keyfob-Reason`, which stands in the audit, and `Idempotency-Key`: the same request again within a day is
  answered alike and done once.
- A list comes in pages: `limit`, and `cursor`, which is the `next` of the page before.
- A client has a version, its `ETag`; `If-Match` refuses a change of what somebody else changed meanwhile (412).
- An answer of 202 is a proposal that waits for a second operator.
- An error is JSON: `error`, `message`, `hint`, `error_id`. 400: the request is not in its form, as the description says
  it; 422: it is, and cannot be done as it is asked; 404 and 410: what it names is not there; 409: it is no time for it.
- A secret leaves only sealed to the partner's certificate: `message` is the OpenPGP message, `file_name` what it may be
  called. An answer with a link to it is given once, and not again to the same key.

This page is made from `src/keyfob/server/admin/table.py`: `KEYFOB_WRITE_PAGES=1 make docs` writes it anew.
"""


def page() -> str:
    rows = [
        f"| `{one.method}` | `{one.path.removeprefix('/admin/v1')}` | `{one.scope}` | {one.summary} | `{one.command}` |"
        for one in OPERATIONS
    ]
    table = "| | path, below `/admin/v1` | scope | | command |\n|---|---|---|---|---|\n" + "\n".join(rows)
    auditors = SCOPES_OF[Role.AUDITOR]
    scopes = [f"| `{name}` | {text} | {'yes' if name in auditors else ''} |" for name, text in SCOPES.items()]
    listed = "| scope | | an auditor has it |\n|---|---|---|\n" + "\n".join(scopes)
    return f"{_OPENING}\n## Operations\n\n{table}\n\n## Scopes\n\nAn operator has all of them.\n\n{listed}\n"
