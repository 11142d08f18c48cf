import * as jose from 'jose'
import { AUDIENCE, ISSUER, say, secret } from './given.mjs'

const metadata = await (await fetch(`${ISSUER}/.well-known/oauth-authorization-server`)).json()
const keys = jose.createRemoteJWKSet(new URL(metadata.jwks_uri))
const expected = { issuer: ISSUER, audience: AUDIENCE, typ: 'at+jwt', algorithms: ['ES256'] }
try {
  say('jose', (await jose.jwtVerify(secret, keys, expected)).payload)
} catch (refused) {
  if (!(refused instanceof jose.errors.JOSEError)) throw refused
  console.error(`refused: ${refused.code}`)
  process.exitCode = 1
}
