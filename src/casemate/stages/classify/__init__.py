"""Narrow learned specialists; none is shipped yet, the port is here."""
