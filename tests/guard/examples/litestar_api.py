"""An API with Litestar: the guard is one of its guards."""

from litestar import Litestar, Request, get, post
from wanted import METADATA, make_guard

from keyfob.guard.litestar import require

guard = make_guard()


@get("/orders/{order:str}", guards=[require(guard, "orders:read", resource_metadata=METADATA)])
async def show(request: Request, order: str) -> dict[str, str]:
    return {"client": request.state.access_token.client_id, "order": order}


@post(
    "/orders/{order:str}",
    guards=[require(guard, "orders:read orders:write", resource_metadata=METADATA)],
    status_code=200,
    sync_to_thread=True,
)
def place(request: Request, order: str) -> dict[str, str]:
    return {"client": request.state.access_token.client_id, "order": order}


@get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


app = Litestar([show, place, health], openapi_config=None)
