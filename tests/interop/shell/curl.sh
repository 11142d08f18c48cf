#!/bin/sh
# curl. Settings come in the environment, the secret as a line on stdin, never in argv: curl reads its options from
# stdin, written by a printf that is the shell's own. Arguments are further options of curl.
set -eu
IFS= read -r secret
parameter() { [ -z "$2" ] || printf 'data-urlencode = "%s=%s"\n' "$1" "$2"; }
options() {
  printf 'url = "%s/oauth2/token"\n' "$ISSUER"
  parameter grant_type client_credentials
  parameter scope "${SCOPE:-}"
  parameter resource "${RESOURCE:-}"
  case $METHOD in
    certificate) parameter client_id "$CLIENT_ID"; printf 'cert = "%s"\nkey = "%s"\n' "$CERTIFICATE" "$PRIVATE_KEY" ;;
    basic) printf 'user = "%s:%s"\n' "$CLIENT_ID" "$secret" ;;
    post) parameter client_id "$CLIENT_ID"; parameter client_secret "$secret" ;;
  esac
}
answer=$(options | curl --disable --silent --show-error --config - "$@")
printf '{"version": "%s", "answer": %s}\n' "$(curl --version | cut -d ' ' -f 2 | head -n 1)" "$answer"
