"""A question about a case, answered from its evidence with citations, or not at all.

`inventory.py` counts what the records carry, `exact.py` answers by code the questions that ask for just that,
`passages.py` cuts the evidence into passages to rank, `answer.py` decides between answer and refusal, `prompt.py` asks a
language model and checks what it says.
"""
