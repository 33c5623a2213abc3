"""The workshop: programs that train the specialists and leave their weights and papers as files."""
