"""The page of a link to a sealed message: for a person, without a script, and with nothing from anywhere else."""

import base64
import hashlib
from datetime import UTC, datetime
from html import escape

from keyfob.openpgp.certificate import show_fingerprint
from keyfob.server.lifecycle.links import Offered

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:42em;margin:2em auto;padding:0 1em}"
    "code,pre{font-family:monospace;background:#eee;padding:.1em .3em}pre{padding:.6em;overflow:auto}"
    "button{font:inherit;padding:.5em 1em}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    b"content-security-policy",
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'".encode(),
)

_HEAD = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>A sealed message</title>
<style>{_STYLE}</style>
</head>
<body>
"""
_BODY = """<h1>A sealed message</h1>
<p>The operator of <code>{issuer}</code> has made credentials for the client <code>{client_id}</code>. They are
encrypted to the OpenPGP key with the fingerprint</p>
<pre>{recipient}</pre>
<p>and only who has its private key can open them. This link gives no access to anything: it can be used {left} more
times, until {until}.</p>
<form method="post"><button>Download the message</button></form>
<h2>How to open it</h2>
<p>With keyfob, which checks who has signed it and keeps the secret encrypted (put the link, or the file, in place
of <code>FILE.asc</code>):</p>
<pre>keyfob receive FILE.asc --operator-fingerprint "..."</pre>
<p>With GnuPG alone, and the operator's certificate from <code>{issuer}/.well-known/keyfob/operator.asc</code>:</p>
<pre>gpg --import operator.asc
gpg --decrypt FILE.asc</pre>
<p>The operator's fingerprint is not on this page, for whoever could change the message could change the page, too: ask
the operator for it by another way, by telephone for example.</p>
</body>
</html>
"""
GONE = (
    _HEAD
    + """<h1>There is nothing here</h1>
<p>This link is wrong, has been used up, or is too old. Ask the operator for another one.</p>
</body>
</html>
"""
).encode()


def write(offered: Offered, *, issuer: str) -> bytes:
    """The page of a link that works."""
    until = datetime.fromtimestamp(offered.link.expires_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    values = {
        "issuer": issuer,
        "client_id": offered.client_id,
        "recipient": show_fingerprint(offered.message.recipient_fingerprint),
        "left": str(offered.link.fetches_left),
        "until": until,
    }
    return (_HEAD + _BODY.format(**{name: escape(value) for name, value in values.items()})).encode()
