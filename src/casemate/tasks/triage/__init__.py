"""Triage: from what was found in evidence to findings, a summary, a proposed disposition and the questions to ask next.

`findings.py` turns facts into findings, `named.py` looks up the ids the evidence names, `summary.py` composes
sentences, `prompt.py` asks a language model for better ones, `proposal.py` proposes a disposition. All pure; the
pipeline calls them.
"""
