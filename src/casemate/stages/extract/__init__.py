"""Normalised text to observables, payloads, templates and warnings; deterministic, no model."""
