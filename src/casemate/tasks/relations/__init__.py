"""Extract relations: who uses, drops, targets or talks to what, each with the sentence that says so.

`named.py` finds what a sentence names, `reading.py` reads relations off sentences and lists, `prompt.py` asks a language
model for more and checks what it says, `telling.py` writes text and JSON lines. STIX is written by `stages/export`.
"""
