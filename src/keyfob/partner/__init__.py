"""FOR THE CLIENT: sealed credentials into a vault, tokens in memory only, calls to one API over HTTPS only.

Needs nothing of the server's: `pip install keyfob` is enough.
"""
