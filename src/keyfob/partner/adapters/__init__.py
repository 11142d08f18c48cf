"""The token source as other HTTP libraries want it: `adapters.httpx`, `adapters.httpx2`, `adapters.requests`.

Each library is imported only by its own module. Tokens are always asked for over keyfob's own verified connection,
never over the other library's, and never for `http://` or another resource.
"""
