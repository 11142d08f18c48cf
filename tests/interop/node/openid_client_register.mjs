import { exportJWK, generateKeyPair } from 'jose'
import * as oauth from 'openid-client'
import { ISSUER, parameters, say, secret as initialAccessToken } from './given.mjs'

const { publicKey, privateKey } = await generateKeyPair('ES256')
const metadata = {
  client_name: 'openid-client',
  token_endpoint_auth_method: 'private_key_jwt',
  jwks: { keys: [await exportJWK(publicKey)] },
}

try {
  const made = await oauth.dynamicClientRegistration(
    new URL(ISSUER), metadata, oauth.PrivateKeyJwt(privateKey), { initialAccessToken },
  )
  const { registration_access_token, ...registered } = made.clientMetadata()
  const { access_token, ...answer } = await oauth.clientCredentialsGrant(made, parameters)
  say('openid-client', { registered, has_token: Boolean(registration_access_token && access_token), ...answer })
} catch (refused) {
  if (refused instanceof oauth.ResponseBodyError) say('openid-client', { error: refused.error })
  else if (refused instanceof oauth.WWWAuthenticateChallengeError) say('openid-client', { error: (await refused.response.json()).error })
  else throw refused
}
