// An API that knows nothing of tokens: the proxy in front of it asks the guard, and tells who calls.
import { createServer } from "node:http";

createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  const body = url.pathname === "/health"
    ? { status: "ok" }
    : { client: request.headers["keyfob-client-id"], order: decodeURIComponent(url.pathname.split("/")[2] ?? "") };
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body));
}).listen(Number(process.env.PORT), "127.0.0.1");
