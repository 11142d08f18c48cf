import * as jose from 'jose'
import { AUDIENCE, ISSUER, PROVEN, say, secret } from './given.mjs'

const metadata = await (await fetch(`${ISSUER}/.well-known/oauth-authorization-server`)).json()
const keys = jose.createRemoteJWKSet(new URL(metadata.jwks_uri))
const expected = { issuer: ISSUER, audience: AUDIENCE, typ: 'at+jwt', algorithms: ['ES256'] }
try {
  const { payload } = await jose.jwtVerify(secret, keys, expected)
  // RFC 9449 §6.1: bound to the key of a proof, which is given as a JWK.
  const proven = PROVEN && (await jose.calculateJwkThumbprint(JSON.parse(PROVEN)))
  if (payload.cnf?.jkt !== (proven || undefined)) throw new jose.errors.JWTClaimValidationFailed('cnf', payload)
  say('jose', payload)
} catch (refused) {
  if (!(refused instanceof jose.errors.JOSEError)) throw refused
  console.error(`refused: ${refused.code}`)
  process.exitCode = 1
}
