"""Clients out of the exports of other authorization servers: what is taken over, what is not and why. Values only."""
