"""Attempted misuse is told to the operator at once: what counts as such, how often it is told, and to where."""
