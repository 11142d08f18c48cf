"""What anybody may ask: health, versions, and how the API describes itself."""

from keyfob import __version__
from keyfob.cdms.call import Answer, Call
from keyfob.oauth.wire import Response
from keyfob.serving import json_response

_MAX_AGE = ((b"cache-control", b"public, max-age=300"),)


def health(_call: Call) -> Answer:
    return json_response(200, {"status": "ok"})


def about(call: Call) -> Answer:
    settings = call.surroundings.settings
    document = {
        "name": "keyfob-cdms",
        "version": __version__,
        "resource": settings.resource,
        "issuer": settings.issuer,
        "formats": ["ODM-XML 1.3.2", "ODM-XML 2.0", "ODM JSON", "Dataset-JSON 1.1"],
        "documentation": f"{settings.resource}/openapi.json",
    }
    return json_response(200, document)


def resource_metadata(call: Call) -> Answer:
    """RFC 9728 §3."""
    return Response(200, ((b"content-type", b"application/json"), *_MAX_AGE), call.surroundings.resource_document)


def openapi(call: Call) -> Answer:
    return Response(200, ((b"content-type", b"application/json"), *_MAX_AGE), call.surroundings.openapi_document)
