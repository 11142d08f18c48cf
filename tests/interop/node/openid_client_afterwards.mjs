import * as oauth from 'openid-client'
import { CLIENT_ID, ISSUER, say, secret } from './given.mjs'

const server = await oauth.discovery(new URL(ISSUER), CLIENT_ID, {}, oauth.ClientSecretBasic(secret))
const { access_token: token } = await oauth.clientCredentialsGrant(server)
const { active: before } = await oauth.tokenIntrospection(server, token)
await oauth.tokenRevocation(server, token)
const { active: after } = await oauth.tokenIntrospection(server, token)
say('openid-client', { before, after })
