"""The command line: parse, call, print; exit codes are decided here only."""
