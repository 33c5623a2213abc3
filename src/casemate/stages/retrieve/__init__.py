"""What we already know: reference passages, and earlier cases that share something rare."""
