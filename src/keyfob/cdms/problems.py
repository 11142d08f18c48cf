"""RFC 9457: what the API answers when it does not do what was asked. A value of an item is never in it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from keyfob.cdms.odm.model import Finding, OdmError
from keyfob.oauth.wire import Response
from keyfob.serving import json_response

MAX_SHOWN = 100


class ApiProblem(Exception):
    """A refusal, raised by a handler. `findings` are shown up to MAX_SHOWN, and counted."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        findings: Sequence[Finding] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.findings = findings
        self.headers = headers or {}


def not_found() -> ApiProblem:
    """One answer for what does not exist and what is not granted: nobody learns which it was."""
    return ApiProblem(404, "not-found", "there is nothing here, or it is not granted to this client")


def from_odm(error: OdmError) -> ApiProblem:
    finding = Finding(error.code, error.message, error.where, error.line)
    return ApiProblem(error.status, error.code, error.message, findings=[finding])


def write(problem: ApiProblem, request_id: str) -> Response:
    document: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "error_id": request_id,
    }
    if problem.findings:
        document["errors"] = [write_finding(finding) for finding in problem.findings[:MAX_SHOWN]]
        document["total"] = len(problem.findings)
    headers = tuple((name.lower().encode(), value.encode()) for name, value in problem.headers.items())
    return json_response(problem.status, document, headers=headers, media_type="application/problem+json")


def refuse(status: int, code: str, message: str, request_id: str) -> Response:
    """The form that keyfob.serving.edge uses for its own refusals."""
    return write(ApiProblem(status, code.replace("_", "-"), message), request_id)


def write_finding(finding: Finding) -> dict[str, object]:
    document: dict[str, object] = {"code": finding.code, "pointer": finding.where, "message": finding.message}
    if finding.line:
        document["line"] = finding.line
    if finding.oid is not None:
        document["oid"] = finding.oid
    return document
