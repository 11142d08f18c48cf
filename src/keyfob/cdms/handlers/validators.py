"""RFC 9110 §8.8: the tag of what is made anew for each reader, by what it is made of: before any of that is read."""

import json

from keyfob import __version__
from keyfob.cdms import preconditions
from keyfob.cdms.call import IDENTIFIERS, Call, fingerprint
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Study
from keyfob.oauth import authorization_details
from keyfob.oauth.wire import Response

Headers = tuple[tuple[bytes, bytes], ...]


def tagged(call: Call, reading: Reading, study: Study, kind: str, *more: tuple[bytes, bytes]) -> Headers:
    """The headers of an export in the form `kind`, with its tag: another one after any change of the study.

    And for any other question, any other right, and any other program or name of the API: what it writes may differ.
    """
    rights = [authorization_details.write(call.granted.authorization_details), IDENTIFIERS in call.granted.scope]
    asked = [call.operation, dict(call.params), sorted(call.query.items()), kind]
    made_of = [__version__, call.surroundings.settings.resource, reading.epoch(), study.oid, study.seq, *asked, *rights]
    # RFC 9110 §8.8.1: it is weak, since each says when it was made.
    tag = f'W/"{fingerprint(json.dumps(made_of).encode())[:32]}"'
    return (b"content-type", kind.encode()), (b"vary", b"Accept"), (b"etag", tag.encode()), *more


def unchanged(call: Call, headers: Headers) -> Response | None:
    """304 where the reader has what `headers` are of. Ask it when nothing else speaks against the request."""
    tag = dict(headers)[b"etag"].decode()
    return preconditions.not_modified(headers) if preconditions.is_known(call.headers, tag) else None
