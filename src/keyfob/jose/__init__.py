"""RFC 7515-7519 over the JOSE library: keys, key sets, and tokens that are verified whole or not at all."""
