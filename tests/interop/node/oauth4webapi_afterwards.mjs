import * as oauth from 'oauth4webapi'
import { CLIENT_ID, ISSUER, say, secret } from './given.mjs'

const issuer = new URL(ISSUER)
const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' })
const server = await oauth.processDiscoveryResponse(issuer, found)
const client = { client_id: CLIENT_ID }
const method = oauth.ClientSecretPost(secret)
const granted = await oauth.clientCredentialsGrantRequest(server, client, method, {})
const { access_token: token } = await oauth.processClientCredentialsResponse(server, client, granted)

async function isActive() {
  const answer = await oauth.introspectionRequest(server, client, method, token)
  return (await oauth.processIntrospectionResponse(server, client, answer)).active
}

const before = await isActive()
await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, method, token))
say('oauth4webapi', { before, after: await isActive() })
