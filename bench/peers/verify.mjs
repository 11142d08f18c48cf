// One access token, verified by node's jose: signature, issuer, audience and times. By bench/guard.py.
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../tests/interop/node/package.json", import.meta.url));
const { importJWK, jwtVerify } = require("jose");
const { version } = require("jose/package.json");
const asked = JSON.parse(readFileSync(0, "utf8"));
const options = { issuer: asked.issuer, audience: asked.audience, algorithms: ["ES256"], typ: "at+jwt" };
const key = await importJWK(asked.jwk, "ES256");
const bareKey = { key: createPublicKey({ key: asked.jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" };
const [head, body, last] = asked.token.split(".");
const signed = Buffer.from(`${head}.${body}`);
const signature = Buffer.from(last, "base64url");
const ways = {
  [asked.bare]: () => verify("sha256", signed, bareKey, signature),
  [`node's jose ${version}`]: () => jwtVerify(asked.token, key, options),
};
const seen = Object.fromEntries(Object.keys(ways).map((what) => [what, []]));
for (let round = 0; round < asked.rounds; round++) {
  for (const [what, way] of Object.entries(ways)) {
    const before = process.cpuUsage();
    for (let each = 0; each < asked.count; each++) await way();
    const { user, system } = process.cpuUsage(before);
    seen[what].push((user + system) / 1e6);
  }
}
console.log(JSON.stringify(seen));
