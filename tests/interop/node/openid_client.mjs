import * as oauth from 'openid-client'
import { CLIENT_ID, ISSUER, METHOD, parameters, say, secret } from './given.mjs'

const method = { basic: oauth.ClientSecretBasic, post: oauth.ClientSecretPost }[METHOD]
const server = await oauth.discovery(new URL(ISSUER), CLIENT_ID, {}, method(secret))
try {
  say('openid-client', await oauth.clientCredentialsGrant(server, parameters))
} catch (refused) {
  // The library tells a 401 by its challenge, which the standard wants there, and leaves the code in the answer.
  if (!(refused instanceof oauth.WWWAuthenticateChallengeError)) throw refused
  say('openid-client', await refused.response.json())
}
