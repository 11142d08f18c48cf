"""`keyfob doctor`: whether each practice of a careful partner is kept here, one check for each, and what mends it."""
