"""The same request twice: the first answer is given again (draft-ietf-httpapi-idempotency-key-header)."""

from collections.abc import Callable

from keyfob.cdms.call import Call
from keyfob.cdms.problems import ApiProblem
from keyfob.cdms.running import still_running
from keyfob.cdms.storage.records import StoredAnswer
from keyfob.cdms.storage.writing import Writing
from keyfob.oauth.wire import Response

MAX_KEY = 256


def once(
    call: Call, writing: Writing, key: str | None, do: Callable[[], Response], *, asked: str | None = None
) -> Response:
    """`do()`, or the answer that it gave before. Both stand in one transaction, so a crash leaves both or neither.

    `asked` tells whether the same was asked, where `call.asked` does not.
    Raises ApiProblem (422) when the key was used for something else.
    """
    if key is None:
        return do()
    if not 0 < len(key) <= MAX_KEY or not key.isprintable():
        raise ApiProblem(400, "bad-idempotency-key", f"an Idempotency-Key has 1 to {MAX_KEY} characters")
    client, asked = call.granted.client_id, asked or call.asked
    if not writing.claim_key(client, key):
        raise still_running()
    known = writing.reading.find_answer(client, key)
    if known is not None:
        if known.fingerprint != asked:
            raise ApiProblem(422, "idempotency-key-reused", "this Idempotency-Key was used for another request")
        headers = tuple((name.encode(), value.encode()) for name, value in known.headers)
        return Response(known.status, (*headers, (b"idempotent-replay", b"true")), known.body)
    response = do()
    headers_kept = tuple((name.decode(), value.decode()) for name, value in response.headers)
    writing.keep_answer(client, key, StoredAnswer(asked, response.status, headers_kept, response.body))
    return response
