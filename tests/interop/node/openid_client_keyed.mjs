import { importJWK } from 'jose'
import * as oauth from 'openid-client'
import { ALGORITHM, BOUND, CALL, CLIENT_ID, ISSUER, METHOD, PROFILE, parameters, say, secret } from './given.mjs'

let server
async function signed() {
  const jwk = JSON.parse(secret)
  const key = { key: await importJWK(jwk, ALGORITHM), kid: jwk.kid }
  // The library's audience is the issuer, as FAPI 2.0 wants it; SMART wants the token endpoint.
  const toEndpoint = (_, claims) => { claims.aud = server.serverMetadata().token_endpoint }
  return oauth.PrivateKeyJwt(key, PROFILE === 'smart' ? { [oauth.modifyAssertion]: toEndpoint } : {})
}
const method = METHOD === 'private_key_jwt' ? await signed() : oauth.ClientSecretBasic(secret)
server = await oauth.discovery(new URL(ISSUER), CLIENT_ID, {}, method)
const bound = async () => ({ DPoP: oauth.getDPoPHandle(server, await oauth.randomDPoPKeyPair()) })
const options = BOUND ? await bound() : undefined

async function call(token, options) {
  try {
    return (await oauth.fetchProtectedResource(server, token, new URL(CALL), 'GET', undefined, undefined, options)).status
  } catch (refused) {
    // The library tells any answer with a challenge in this way.
    if (!(refused instanceof oauth.WWWAuthenticateChallengeError)) throw refused
    return refused.status
  }
}

try {
  const answer = await oauth.clientCredentialsGrant(server, parameters, options)
  const { access_token: token } = answer
  const called = { owner: await call(token, options) }
  if (BOUND) {
    await oauth.clientCredentialsGrant(server, parameters, options)
    called.stranger = await call(token, await bound())
    called.bearer = await call(token)
  }
  say('openid-client', { ...answer, called })
} catch (refused) {
  if (refused instanceof oauth.ResponseBodyError) say('openid-client', { error: refused.error })
  else if (refused instanceof oauth.WWWAuthenticateChallengeError) say('openid-client', { error: (await refused.response.json()).error })
  else throw refused
}
