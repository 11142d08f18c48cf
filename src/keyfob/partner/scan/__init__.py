"""`keyfob scan`: finds our secrets and tokens where they must not be. No network, nothing written, nothing shown."""
