"""The case state machine: what a named person may decide; pure."""
