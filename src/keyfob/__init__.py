"""Keyfob: machine credentials that are issued, sealed, stored, used and withdrawn safely.

The public surface is `keyfob.partner.__all__`, `keyfob.guard.__all__`, the four programs, the HTTP API and the
settings.
"""

__version__ = "0.1.0"
