// One access token, verified by node's jose: signature, issuer, audience and times. By bench/guard.py.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../tests/interop/node/package.json", import.meta.url));
const { importJWK, jwtVerify } = require("jose");
const { version } = require("jose/package.json");
const asked = JSON.parse(readFileSync(0, "utf8"));
const key = await importJWK(asked.jwk, "ES256");
const options = { issuer: asked.issuer, audience: asked.audience, algorithms: ["ES256"], typ: "at+jwt" };
const times = [];
for (let round = 0; round < 5; round++) {
  const before = process.cpuUsage();
  for (let each = 0; each < asked.count; each++) await jwtVerify(asked.token, key, options);
  const { user, system } = process.cpuUsage(before);
  times.push((user + system) / asked.count);
}
times.sort((a, b) => a - b);
console.log(JSON.stringify({ [`node's jose ${version}`]: times[2] }));
