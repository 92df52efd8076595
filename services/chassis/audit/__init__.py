"""The audit log as services write it: one record for each call that matters, with its change."""
