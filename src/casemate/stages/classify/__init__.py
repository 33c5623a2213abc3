"""Narrow learned specialists, each calibrated, each free to abstain: weakness, severity, techniques, alerts.

One file a specialist, opened when it is first asked; `weights.py` refuses weights whose digest is not the manifest's.
"""
