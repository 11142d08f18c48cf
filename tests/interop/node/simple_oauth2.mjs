import { ClientCredentials } from 'simple-oauth2'
import { CLIENT_ID, ISSUER, METHOD, parameters, say, secret } from './given.mjs'

const client = new ClientCredentials({
  client: { id: CLIENT_ID, secret },
  auth: { tokenHost: ISSUER, tokenPath: '/oauth2/token' },
  options: { authorizationMethod: METHOD === 'post' ? 'body' : 'header' },
})
try {
  say('simple-oauth2', (await client.getToken(parameters)).token)
} catch (refused) {
  if (!refused.data?.payload?.error) throw refused
  say('simple-oauth2', { error: refused.data.payload.error })
}
