"""Opt-in, for many processes of one user on one host: one of them has the vault and asks for tokens, the others ask it.

Over a Unix socket, whose both ends look at who the other is. There is never a file with a token in it.
"""
