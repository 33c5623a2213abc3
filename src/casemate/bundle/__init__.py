"""Signed bundles: one file that carries a model or an adapter, with all that belongs to it, across an air gap."""
