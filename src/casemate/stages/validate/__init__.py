"""Checks on what a model proposed; one function per check."""
