"""Secrets at rest: each under a data key of its own, the data key under a key-encryption key, bound to its place."""
