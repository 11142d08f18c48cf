"""Alarms and notices to a webhook: HTTPS POST, signed as Standard Webhooks says (https://www.standardwebhooks.com).

    webhook-id: ID    webhook-timestamp: SECONDS    webhook-signature: v1,BASE64(HMAC-SHA-256(key, ID.SECONDS.BODY))

The key is what stands in base64 behind `whsec_`. The id is the same for each attempt, so that a receiver can drop
repeats. TLS is verified, no redirect is followed, and the answer's body is not read.
"""

import base64
import binascii
import hmac
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from keyfob.ambient import Clock
from keyfob.secret import Secret
from keyfob.server.alarms.courier import Message, NotDelivered

PREFIX = "whsec_"
KEY_BYTES = 32
_MIN_KEY_BYTES = 24
_TIMEOUT = 10
_HTTPS = 443


def new_secret(random: bytes) -> Secret:
    """A signing secret in the form that receivers take; `random`: 32 bytes."""
    return Secret(PREFIX.encode() + base64.b64encode(random))


def read_key(secret: Secret) -> Secret:
    """The key in a signing secret. Raises ValueError that does not quote it."""
    raw = secret.reveal_bytes()
    try:
        key = base64.b64decode(raw.removeprefix(PREFIX.encode()), validate=True)
    except binascii.Error:
        key = b""
    if not raw.startswith(PREFIX.encode()) or len(key) < _MIN_KEY_BYTES:
        raise ValueError(f"a webhook's secret is {PREFIX} and at least {_MIN_KEY_BYTES} bytes in base64")
    return Secret(key)


def sign(key: Secret, *, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key.reveal_bytes(), signed, "sha256")).decode()


class Webhook:
    """`url` is never shown: those of some receivers hold a secret."""

    name = "webhook"

    def __init__(
        self,
        url: str,
        key: Secret,
        context: Callable[[], ssl.SSLContext],
        *,
        clock: Clock,
        choose: Callable[[str, int], str] | None = None,
    ) -> None:
        """`choose`: HOST:PORT by the address that may be posted to, of a host and port; raises NotDelivered."""
        self._choose = choose
        self._url = url
        self._key = key
        self._context = context
        self._clock = clock

    def deliver(self, message: Message) -> None:
        """One attempt. Raises NotDelivered."""
        import httpx2

        body, now = message.body(), self._clock()
        headers = {
            "content-type": "application/json",
            "user-agent": "keyfob-server",
            "webhook-id": message.id,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(self._key, message_id=message.id, timestamp=now, body=body),
        }
        url, extensions = self._url, {}
        if self._choose is not None:
            # By the address that was looked at: asked twice, a name may lead elsewhere. TLS still verifies the name.
            parts = urlsplit(url)
            url = parts._replace(netloc=self._choose(parts.hostname or "", parts.port or _HTTPS)).geturl()
            headers["host"], extensions = parts.netloc, {"sni_hostname": parts.hostname or ""}
        direct = self._choose is not None
        try:
            with (
                httpx2.Client(
                    verify=self._context(), timeout=_TIMEOUT, follow_redirects=False, trust_env=not direct
                ) as client,
                client.stream("POST", url, headers=headers, content=body, extensions=extensions) as response,
            ):
                status = response.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as failed:
            raise NotDelivered(_reason(failed), again=True) from None
        if not 200 <= status < 300:
            raise NotDelivered(f"the receiver answered {status}", again=status in (408, 425, 429) or status >= 500)


def _reason(failed: Exception) -> str:
    """Without the URL, which an exception's text may hold."""
    if "CERTIFICATE_VERIFY_FAILED" in str(failed):
        return "the receiver's certificate is not trusted"
    return f"the receiver cannot be reached ({type(failed).__name__})"
