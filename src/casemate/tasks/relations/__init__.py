"""Extract relations: who uses, drops, targets or talks to what, each with the sentence that says so.

`named.py` finds what a sentence names, `reading.py` reads relations off sentences and lists, `asking.py` makes the
draft and says what a language model is asked. STIX is written by `stages/export`.
"""
