"""The audit trail: what an event says, how events are chained, and how the chain is verified."""
