"""A question about a case, answered from its evidence with citations, or not at all.

`inventory.py` counts what the records carry, `exact.py` answers by code the questions that ask for just that,
`passages.py` cuts the evidence into passages to rank, `answer.py` decides between answer and refusal, `asking.py` makes
the draft and says what a language model is asked.
"""
