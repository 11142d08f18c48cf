"""What partner and operator are told in good time: made with the act that causes it, delivered behind it."""
