"""`keyfob-cdms` with one of its checks taken away, named by the first argument; `none` is the program as it is.

Asked for `/router`, it tells the routes that it serves.
"""

import sys

from keyfob.cdms import serve
from keyfob.cdms.app import make_app
from keyfob.cdms.call import Call
from keyfob.cdms.cli import main as run
from keyfob.cdms.handlers import studies
from keyfob.cdms.router import Router
from keyfob.cdms.routes import ROUTES, Route
from keyfob.guard import Guard
from keyfob.serving import json_response, respond

_admit = Guard.admit


def main() -> None:
    lost = sys.argv.pop(1)
    if lost == "scope":
        Guard.admit = lambda self, headers, query, scope, **more: _admit(self, headers, query, "studies:read", **more)
    elif lost == "study":
        Call.permits = lambda self, study: True
    elif lost == "sites":
        Call.sites = lambda self, study: None
    elif lost == "subject":
        Call.reaches = lambda self, subject, form=None: True
    elif lost == "whole":
        Call.holds_whole = lambda self, study: True
    else:
        assert lost in ("table", "none")
    serve.make_app = lambda *given, **named: _telling(lost, *given, **named)
    run()


def _telling(lost, *given, **named):
    router = Router(ROUTES)
    app = make_app(*given, router=router, **named)
    if lost == "table":
        router.add(Route("GET", "/v1/everything", "studies:read", studies.list_studies, "All"))

    async def told(scope, receive, send):
        if scope["type"] == "http" and scope["path"] == "/router":
            walked = [(route.method, route.template, route.scope) for route in router.walk()]
            await respond(send, json_response(200, walked))
        else:
            await app(scope, receive, send)

    return told
