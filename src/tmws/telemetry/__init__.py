"""What the operator sees: logs, always on stderr."""
