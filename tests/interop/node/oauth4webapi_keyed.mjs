import { importJWK } from 'jose'
import * as oauth from 'oauth4webapi'
import { ALGORITHM, BOUND, CALL, CLIENT_ID, ISSUER, METHOD, PROFILE, parameters, say, secret } from './given.mjs'

const issuer = new URL(ISSUER)
const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' })
const server = await oauth.processDiscoveryResponse(issuer, found)
const client = { client_id: CLIENT_ID }
async function signed() {
  const jwk = JSON.parse(secret)
  const key = { key: await importJWK(jwk, ALGORITHM), kid: jwk.kid }
  // The library's audience is the issuer, as FAPI 2.0 wants it; SMART wants the token endpoint.
  const toEndpoint = (_, claims) => { claims.aud = server.token_endpoint }
  return oauth.PrivateKeyJwt(key, PROFILE === 'smart' ? { [oauth.modifyAssertion]: toEndpoint } : {})
}
const method = METHOD === 'private_key_jwt' ? await signed() : oauth.ClientSecretBasic(secret)
const bound = async () => ({ DPoP: oauth.DPoP(client, await oauth.generateKeyPair('ES256')) })
const options = BOUND ? await bound() : undefined

async function ask() {
  const response = await oauth.clientCredentialsGrantRequest(server, client, method, parameters, options)
  return await oauth.processClientCredentialsResponse(server, client, response)
}

async function call(token, options) {
  try {
    return (await oauth.protectedResourceRequest(token, 'GET', new URL(CALL), undefined, undefined, options)).status
  } catch (refused) {
    // The library tells any answer with a challenge in this way.
    if (!(refused instanceof oauth.WWWAuthenticateChallengeError)) throw refused
    return refused.status
  }
}

try {
  const answer = await ask()
  const { access_token: token } = answer
  const called = { owner: await call(token, options) }
  if (BOUND) {
    await ask()
    called.stranger = await call(token, await bound())
    called.bearer = await call(token)
  }
  say('oauth4webapi', { ...answer, called })
} catch (refused) {
  if (refused instanceof oauth.ResponseBodyError) say('oauth4webapi', { error: refused.error })
  else if (refused instanceof oauth.WWWAuthenticateChallengeError) say('oauth4webapi', { error: (await refused.response.json()).error })
  else throw refused
}
