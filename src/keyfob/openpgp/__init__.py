"""OpenPGP (RFC 9580, and RFC 4880 as GnuPG 2.2 speaks it): who may receive a credential, sealing it, opening it."""
