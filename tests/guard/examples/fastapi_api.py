"""An API with FastAPI: the guard is a dependency, and describes itself in /openapi.json."""

from typing import Annotated

from fastapi import FastAPI, Security
from wanted import ISSUER, METADATA, make_guard

from keyfob.guard import AccessToken
from keyfob.guard.fastapi import ClientCredentials

bearer = ClientCredentials(
    make_guard(),
    token_url=f"{ISSUER}/oauth2/token",
    scopes={"orders:read": "Read orders", "orders:write": "Place orders"},
    resource_metadata=METADATA,
)
app = FastAPI()


@app.get("/orders/{order}")
async def show(order: str, token: Annotated[AccessToken, Security(bearer, scopes=["orders:read"])]) -> dict[str, str]:
    return {"client": token.client_id, "order": order}


@app.post("/orders/{order}")
def place(
    order: str, token: Annotated[AccessToken, Security(bearer, scopes=["orders:read", "orders:write"])]
) -> dict[str, str]:
    return {"client": token.client_id, "order": order}


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/forgotten")
async def forgotten(token: Annotated[AccessToken, Security(bearer)]) -> dict[str, str]:
    return {"client": token.client_id}
