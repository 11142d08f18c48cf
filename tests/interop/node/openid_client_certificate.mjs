import { readFileSync } from 'node:fs'
import * as oauth from 'openid-client'
import { Agent, fetch } from 'undici'
import { CLIENT_ID, ISSUER, parameters, say } from './given.mjs'

const { CERTIFICATE, PRIVATE_KEY, NODE_EXTRA_CA_CERTS } = process.env
const connect = { cert: readFileSync(CERTIFICATE), key: readFileSync(PRIVATE_KEY), ca: readFileSync(NODE_EXTRA_CA_CERTS) }
const dispatcher = new Agent({ connect })
const byCertificate = (url, options) => fetch(url, { ...options, dispatcher })
const metadata = { use_mtls_endpoint_aliases: true }
try {
  const options = { [oauth.customFetch]: byCertificate }
  const server = await oauth.discovery(new URL(ISSUER), CLIENT_ID, metadata, oauth.TlsClientAuth(), options)
  say('openid-client', await oauth.clientCredentialsGrant(server, parameters))
} catch (refused) {
  if (refused instanceof oauth.ResponseBodyError) say('openid-client', { error: refused.error })
  else if (refused instanceof oauth.WWWAuthenticateChallengeError) say('openid-client', { error: (await refused.response.json()).error })
  else throw refused
}
