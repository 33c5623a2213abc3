"""What takes reviewed cases: one file a kind, each gives one case whole or not at all."""
