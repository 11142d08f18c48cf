import * as oauth from 'oauth4webapi'
import { CLIENT_ID, ISSUER, METHOD, parameters, say, secret } from './given.mjs'

const issuer = new URL(ISSUER)
const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' })
const server = await oauth.processDiscoveryResponse(issuer, found)
const client = { client_id: CLIENT_ID }
const method = { basic: oauth.ClientSecretBasic, post: oauth.ClientSecretPost }[METHOD](secret)
const response = await oauth.clientCredentialsGrantRequest(server, client, method, parameters)
try {
  say('oauth4webapi', await oauth.processClientCredentialsResponse(server, client, response))
} catch (refused) {
  // The library tells a 401 by its challenge, which the standard wants there, and leaves the code in the answer.
  if (!(refused instanceof oauth.WWWAuthenticateChallengeError)) throw refused
  say('oauth4webapi', await refused.response.json())
}
