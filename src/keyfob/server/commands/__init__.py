"""The commands of `keyfob-server`, one noun a file: read what was typed, call the lifecycle, show what came of it."""
