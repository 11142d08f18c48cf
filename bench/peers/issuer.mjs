// node's oidc-provider as its documentation sets it up for client credentials and JWT access tokens, in memory.
// Arguments: port, algorithm, client id, client secret, resource, scope. Says `ready` and its version.
import { generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import Provider from "oidc-provider";

const [port, alg, client_id, client_secret, audience, scope] = process.argv.slice(2);
const kind = alg === "ES256" ? ["ec", { namedCurve: "P-256" }] : ["rsa", { modulusLength: 3072 }];
const key = { ...generateKeyPairSync(...kind).privateKey.export({ format: "jwk" }), alg, use: "sig", kid: "1" };
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id,
      client_secret,
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: alg,
    },
  ],
  jwks: { keys: [key] },
  scopes: [scope],
  ttl: { ClientCredentials: 300 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope,
        audience,
        accessTokenTTL: 300,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg } },
      }),
    },
  },
});
const { version } = createRequire(import.meta.url)("./node_modules/oidc-provider/package.json");
provider.listen(Number(port), "127.0.0.1", () => console.log(`ready ${version}`));
