"""From what a handler found to what goes out: what the reader has already, what HEAD leaves out, what is compressed."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

from keyfob.cdms import coding, preconditions
from keyfob.cdms.call import Answer, Call, Stream
from keyfob.oauth.wire import Response, values


def answer_to(call: Call, handler: Callable[[Call], Answer]) -> Answer:
    """The handler's answer as it goes out. Raises ApiProblem."""
    answer = handler(call)
    try:
        return _shaped(call, answer)
    except BaseException:
        _end(answer)
        raise


def _shaped(call: Call, answer: Answer) -> Answer:
    reads = call.operation.startswith("GET ")
    if reads and isinstance(answer, Response) and answer.status == 200 and not values(answer.headers, b"etag"):
        tag = f'"{hashlib.sha256(answer.body).hexdigest()[:32]}"'.encode()
        answer = replace(answer, headers=(*answer.headers, (b"etag", tag)))
    tags = values(answer.headers, b"etag")
    if reads and tags and preconditions.is_known(call.headers, tags[0].decode()):
        _end(answer)
        return preconditions.not_modified(answer.headers)
    if isinstance(answer, Response):
        return coding.compressed(call.headers, answer) if answer.body else answer
    headers, chunks = coding.compressed_stream(call.headers, answer.headers, answer.chunks)
    if call.is_head:
        return replace(answer, headers=headers, chunks=iter(()))
    return replace(answer, headers=headers, chunks=chunks)


def _end(answer: Answer) -> None:
    if isinstance(answer, Stream):
        answer.end()
