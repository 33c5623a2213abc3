"""Quality and speed, measured the same way for us and for peers."""
