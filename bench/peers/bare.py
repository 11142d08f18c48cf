"""The floor of an HTTP server: uvicorn with uvloop and httptools, and a route that reads its body and answers.

Argument: port. Answers as many bytes as a token response has.
"""

import json
import sys

import uvicorn

ANSWER = json.dumps({"access_token": "x" * 700, "token_type": "Bearer", "expires_in": 300, "scope": "a:read"}).encode()
HEAD = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())],
}
BODY = {"type": "http.response.body", "body": ANSWER}


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            said = await receive()
            if said["type"] == "lifespan.startup":
                print("ready", uvicorn.__version__, flush=True)
            await send({"type": f"{said['type']}.complete"})
            if said["type"] == "lifespan.shutdown":
                return
    await receive()
    await send(HEAD)
    await send(BODY)


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="error")
