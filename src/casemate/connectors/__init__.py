"""Doors to other programs of a SOC: alerts come in from them, reviewed cases go out to them, agents may ask."""
