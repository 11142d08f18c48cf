"""An API with Flask: the guard is a decorator."""

from flask import Flask, g
from wanted import METADATA, make_guard

from keyfob.guard.flask import require

guard = make_guard()
app = Flask(__name__)


@app.get("/orders/<order>")
@require(guard, "orders:read", resource_metadata=METADATA)
def show(order: str) -> dict[str, str]:
    return {"client": g.access_token.client_id, "order": order}


@app.post("/orders/<order>")
@require(guard, "orders:read orders:write", resource_metadata=METADATA)
def place(order: str) -> dict[str, str]:
    return {"client": g.access_token.client_id, "order": order}


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}
