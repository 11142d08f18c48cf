"""The protocol, one RFC a file: values in, values out. No I/O, clock, randomness or third-party import."""
