"""What happens to partners, clients, credentials and resources over time. Rules only; SQL is in `storage`."""
