"""The operator's commands, a file per noun. `server.cli` puts them together."""
