"""The whole journey on one machine, shown: `python -m keyfob.demo`. Real programs, real sockets, real OpenPGP."""
