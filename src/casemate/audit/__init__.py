"""The hash chain over audit events, signed checkpoints, and the verifier."""
