"""What an operator can do, as one table of operations: performed on the home, or asked for over the admin API."""
