"""Use-cases: each owns its transaction, asks the gate first, and leaves its trace."""
