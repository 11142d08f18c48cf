"""keyfob.serving.messages: values as ASGI messages."""

import asyncio

import pytest

from keyfob.oauth.wire import Response
from keyfob.serving import respond


def headers_of(status: int, body: bytes) -> dict[bytes, bytes]:
    sent = []

    async def send(message) -> None:
        sent.append(message)

    asyncio.run(respond(send, Response(status, ((b"etag", b'"x"'),), body)))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return dict(sent[0]["headers"])


@pytest.mark.parametrize(("status", "body"), [(200, b"abc"), (200, b""), (401, b"{}")])
def test_a_response_states_its_length(status: int, body: bytes):
    """RFC 9110 §8.6."""
    assert headers_of(status, body) == {b"etag": b'"x"', b"content-length": str(len(body)).encode()}


@pytest.mark.parametrize("status", [204, 304])
def test_what_has_no_content_states_no_length(status: int):
    """RFC 9110 §8.6: in a 304 it would have to be that of the document itself."""
    assert headers_of(status, b"") == {b"etag": b'"x"'}
