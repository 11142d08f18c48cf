"""How an ASGI application meets the network: a strict HTTP/1.1 listener with TLS, and the edge around the app.

Whoever listens imports `keyfob.serving.listener`: uvicorn is not loaded for a command that serves nothing.
"""

from keyfob.serving.edge import BodyTooLarge, edge
from keyfob.serving.handshake import Anchors
from keyfob.serving.limits import Limits
from keyfob.serving.messages import App, Receive, Scope, Send, json_response, live, read_body, respond

__all__ = [
    "Anchors",
    "App",
    "BodyTooLarge",
    "Limits",
    "Receive",
    "Scope",
    "Send",
    "edge",
    "json_response",
    "live",
    "read_body",
    "respond",
]
