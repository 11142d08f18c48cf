# Settings come in the environment, the secret as a line on stdin, never in argv.
require 'json'
require 'oauth2'
require 'oauth2/version'

scheme = { 'basic' => :basic_auth, 'post' => :request_body }.fetch(ENV.fetch('METHOD'))
client = OAuth2::Client.new(
  ENV.fetch('CLIENT_ID'), $stdin.gets.strip,
  site: ENV.fetch('ISSUER'), token_url: '/oauth2/token', auth_scheme: scheme
)
parameters = { scope: ENV['SCOPE'], resource: ENV['RESOURCE'] }.reject { |_, value| value.to_s.empty? }
begin
  token = client.client_credentials.get_token(parameters)
  answer = { access_token: token.token, expires_in: token.expires_in, **token.params }
rescue OAuth2::Error => e
  answer = { error: e.code }
end
version = defined?(OAuth2::Version::VERSION) ? OAuth2::Version::VERSION : OAuth2::Version.to_s
puts JSON.generate(version: version, answer: answer)
