"""One file for each URL; each endpoint reads as the list of its steps."""
