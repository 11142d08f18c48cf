"""The way to the newest schema, step by step."""
