"""A client of FHIR servers: it knows SMART Backend Services and the base URL, and finds the rest there."""

import asyncio
import json

import given
from cumulus_fhir_support import AuthFailed, FhirClient

base, _, resource = given.CALL.rpartition("/")
keys = {"keys": [json.loads(given.secret())]}


async def call() -> dict[str, object]:
    try:
        async with FhirClient(base, [resource], smart_client_id=given.CLIENT_ID, smart_jwks=keys) as client:
            answer = await client.request("GET", resource)
    except AuthFailed as refused:
        return {"error": refused.__context__.response.json()["error"]}
    # The library keeps the token to itself.
    token = answer.request.headers["authorization"].removeprefix("Bearer ")
    return {"access_token": token, "called": {"owner": answer.status_code}}


given.say("cumulus-fhir-support", asyncio.run(call()))
