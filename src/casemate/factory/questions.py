"""Make multiple-choice questions with known answers out of the knowledge, to train and test the weighing of options.

No question comes from any benchmark: each is cut from one passage by code. To be less easy than they would be, the
words of questions and options are thinned out and replaced, and the distractors come from passages of the same sort.
"""

import re
from collections.abc import Callable

from casemate.factory.question_maker import LABEL, RARE, Maker, Question
from casemate.knowledge import Knowledge, Piece


def _split(title: str, verb: str) -> tuple[str, str]:
    left, _, right = title.partition(f" {verb} ")
    return left, right


def _who(maker: Maker) -> Question | None:
    piece = maker.random.choice(maker.groups["procedure"])
    user, technique = _split(piece.title, "uses")
    how = maker.random.choice(("name", "both", "both-first"))
    same = [_split(one.title, "uses")[0] for one in maker.by_other[piece.other] if one.id[:1] == piece.id[:1]]
    maker.random.shuffle(same)
    far = [_split(maker.random.choice(maker.groups["procedure"]).title, "uses")[0] for _ in range(6)]
    said = re.sub(re.escape(LABEL.match(user)["name"]), "", piece.text)  # type: ignore[index] # the pattern always matches
    hint = maker.random.choice(
        (f" as an example of {maker.label(technique)}", f" according to {maker.label(technique)}", "", "")
    )
    noun = "group" if piece.id.startswith("G") else maker.random.choice(("malware", "software", "tool"))
    text = f"Which {noun} {maker.thin(said, 0.3)}{hint}?"
    return maker.ask(
        "who", text, maker.label(user, how), [maker.label(one, how) for one in (*same[:4], *far)], piece.id
    )


def _what_done(maker: Maker) -> Question | None:
    piece = maker.random.choice(maker.groups["procedure"])
    user, technique = _split(piece.title, "uses")
    name = LABEL.match(user)["name"]  # type: ignore[index] # the pattern always matches

    def clause(one: Piece) -> str:
        said = re.sub(re.escape(_split(one.title, "uses")[0].partition(" (")[0]), "", maker.sentence(one.text, 5))
        return maker.thin(said, 0.3, 22)

    same = maker.random.sample(maker.by_other[piece.other], min(5, len(maker.by_other[piece.other])))
    wrong = [clause(one) for one in (*same, *maker.random.sample(maker.groups["procedure"], 4)) if one.id != piece.id]
    stem = maker.random.choice(
        (
            f"How does {name} use {maker.label(technique)}?",
            f"What has {name} been observed doing with regard to {maker.label(technique)}?",
            f"Which action does {name} perform?",
        )
    )
    return maker.ask("what-done", stem, clause(piece), wrong, piece.other)


def _which_mitigation(maker: Maker) -> Question | None:
    piece = maker.random.choice(maker.groups["mitigates"])
    mitigation, technique = _split(piece.title, "mitigates")
    same = [_split(one.title, "mitigates")[0] for one in maker.by_other[piece.other] if " mitigates " in one.title]
    far = [_split(maker.random.choice(maker.groups["mitigates"]).title, "mitigates")[0] for _ in range(6)]
    how = maker.random.choice(("name", "both", "both-first"))
    hint = maker.random.choice((f" to counter {maker.label(technique)}", f" for {maker.label(technique)}", ""))
    text = f"Which mitigation involves {maker.thin(maker.sentence(piece.text), 0.3)}{hint}?"
    return maker.ask(
        "which-mitigation",
        text,
        maker.label(mitigation, how),
        [maker.label(one, how) for one in (*same, *far)],
        piece.other,
    )


def _how_mitigated(maker: Maker) -> Question | None:
    piece = maker.random.choice(maker.groups["mitigates"])
    mitigation, technique = _split(piece.title, "mitigates")
    wrong = [
        maker.thin(maker.sentence(one.text), 0.3, 20)
        for one in maker.random.sample(maker.groups["mitigates"], 12)
        if one.other != piece.other
    ]
    text = maker.random.choice(
        (
            f"Which of the following is a mitigation for {maker.label(technique)}?",
            f"What is recommended to prevent {maker.label(technique)}?",
            f"How can {maker.label(mitigation, 'both')} help against {maker.label(technique)}?",
        )
    )
    return maker.ask("how-mitigated", text, maker.thin(maker.sentence(piece.text), 0.3, 20), wrong, piece.other)


def _which_technique(maker: Maker) -> Question | None:
    piece = maker.random.choice(maker.groups["technique"])
    said = maker.sentence(piece.text)
    near = [one for one in maker.random.sample(maker.groups["technique"], 40) if one.id != piece.id]
    kin = [
        one
        for one in maker.pieces[max(0, piece.number - 60) : piece.number + 60]
        if one.kind == "technique" and one.id != piece.id and not one.other and "): " not in one.title
    ]
    wrong = [one.title for one in maker.random.sample(kin, min(len(kin), 4))] + [one.title for one in near[:6]]
    how = maker.random.choice(("name", "both", "both-first"))
    stem = maker.random.choice(
        ("Which technique involves", "Which MITRE ATT&CK technique describes how", "What technique is used when")
    )
    return maker.ask(
        "which-technique",
        f"{stem} {maker.thin(said, 0.35)}?",
        maker.label(piece.title, how),
        [maker.label(one, how) for one in wrong],
        piece.id,
    )


def _told(maker: Maker) -> Question | None:
    sort = maker.random.choice([key for key in maker.tales if len(maker.tales[key]) > 20])
    piece, values = maker.random.choice(maker.tales[sort])
    label = sort.partition("|")[2].casefold()
    pool = [value for _, some in maker.random.sample(maker.tales[sort], 20) for value in some if value not in values]
    maker.random.shuffle(pool)
    about = maker.label(piece.title)
    if maker.random.random() < 0.25 and len(values) >= 3:
        wrong = maker.random.sample(values, 3)
        return maker.ask(
            "told-negated",
            f"Which of the following is NOT among the {label} of {about}?",
            next(iter(pool), ""),
            wrong,
            piece.id,
        )
    stem = maker.random.choice(
        (
            f"Which of the {label} belongs to {about}?",
            f"What is the {label} of {about} according to the document?",
            f"Under which {label} does {about} fall?",
        )
    )
    return maker.ask("told", stem, maker.random.choice(values), pool, piece.id)


def _part(maker: Maker) -> Question | None:
    """Ask for a part of a weakness, an attack pattern or a technique: a consequence, a mitigation, ..."""
    sorts = [key for key in maker.groups if ": " in key and len(maker.groups[key]) > 40]
    sort = maker.random.choice(sorts)
    piece = maker.random.choice(maker.groups[sort])
    title, _, heading = piece.title.rpartition("): ")
    title += ")"
    wrong = [
        maker.thin(maker.sentence(one.text, 2), 0.3, 20)
        for one in maker.random.sample(maker.groups[sort], 16)
        if one.id != piece.id
    ]
    hint = maker.random.choice(("", "", f" when {maker.thin(maker.sentence(piece.text), 0.6, 10)}"))
    about = maker.label(title)
    stem = maker.random.choice(
        (
            f"What is a {heading} of {about}{hint}?",
            f"Which {heading} is described for {about}?",
            f"In the context of {about}, which of the following is a {heading}{hint}?",
        )
    )
    mine = maker.by_id[f"{sort}|{piece.id}"]
    if maker.random.random() < 0.4 and len(mine) >= 3:
        held = [maker.thin(maker.sentence(one.text, 2), 0.3, 20) for one in maker.random.sample(mine, 3)]
        return maker.ask(
            "part-negated",
            f"Which of the following is NOT a {heading} of {about}?",
            next(iter(wrong), ""),
            held,
            piece.id,
        )
    return maker.ask("part", stem, maker.thin(maker.sentence(piece.text, 2), 0.3, 20), wrong, piece.id)


def _continued(maker: Maker) -> Question | None:
    """Part a sentence of a description: the first half asks, the second half answers."""
    sort = maker.random.choice([sort for sort in ("technique", "weakness", "attack-pattern") if maker.groups.get(sort)])
    piece = maker.random.choice(maker.groups[sort])

    def halves(one: Piece) -> tuple[str, str]:
        words = maker.sentence(one.text, 12).split()
        at = len(words) // 2
        return " ".join(words[:at]), " ".join(words[at:])

    first, second = halves(piece)
    mine = [one for one in maker.by_id[f"{sort}|{piece.id}"] if one.number != piece.number]
    wrong = [maker.thin(halves(one)[1], 0.3, 20) for one in (*mine[:1], *maker.random.sample(maker.groups[sort], 10))]
    about = maker.random.choice(
        (f"According to {maker.label(piece.title)}, ", f"In the context of {maker.label(piece.title)}, ", "")
    )
    return maker.ask(
        "continued",
        f"{about}what does the following describe: {maker.thin(first, 0.3)}?",
        maker.thin(second, 0.3, 20),
        wrong,
        piece.id,
    )


def _term(maker: Maker) -> Question | None:
    """Ask for a telling word of a sentence: a file, an interface, a program, a proper name."""
    sort = maker.random.choice(
        ("technique", "procedure", "procedure", "mitigates", "attack-pattern: example", "weakness: observed example")
    )
    if not maker.groups.get(sort):
        return None
    piece = maker.random.choice(maker.groups[sort])
    said = maker.sentence(piece.text)
    found = [word for word in RARE.findall(said[3:]) if word not in piece.title]
    if not found:
        return None
    right = maker.random.choice(found)
    kin = [
        *maker.by_other.get(piece.other or "-", [])[:40],
        *maker.random.sample(maker.groups[sort], min(60, len(maker.groups[sort]))),
    ]
    maker.random.shuffle(kin)
    wrong = [
        word for one in kin if one.number != piece.number for word in RARE.findall(one.text)[:2] if word not in said
    ]
    wrong.sort(
        key=lambda word: (
            abs(len(word) - len(right))
            + 5 * (("." in word) != ("." in right))
            + 5 * (word.isupper() != right.isupper())
        )
    )
    stem = maker.thin(said.replace(right, ""), 0.3)
    hint = maker.random.choice(
        (f" as mentioned in {maker.label(piece.title.partition(' uses ')[2] or piece.title)}", "")
    )
    return maker.ask(
        "term", f"Which of the following is meant{hint}: {stem}?", right, wrong[:9], piece.other or piece.id
    )


def _not_said(maker: Maker) -> Question | None:
    piece = maker.random.choice(maker.groups[maker.random.choice(("procedure", "technique", "mitigates"))])
    sort = maker.sort_of(piece)
    key = piece.other or piece.id
    mine = [
        one
        for one in (maker.by_other[key] if piece.other else maker.by_id[f"{sort}|{key}"])
        if maker.sort_of(one) == sort
    ]
    if len(mine) < 3:
        return None
    held = [maker.thin(maker.sentence(one.text), 0.3, 20) for one in maker.random.sample(mine, 3)]
    far = maker.random.choice(maker.groups[sort])
    about = maker.label(piece.title.rpartition(" uses ")[2].rpartition(" mitigates ")[2])
    stem = maker.random.choice(
        (
            f"Which of the following is NOT described for {about}?",
            f"All of the following apply to {about} EXCEPT:",
            f"Which is not mentioned in {about}?",
            f"Which of the following does not apply to {about}?",
            f"Which of these has not been described for {about}?",
            f"Which of the following is least likely with {about}?",
            f"What is not a feature of {about}?",
        )
    )
    return maker.ask("not-said", stem, maker.thin(maker.sentence(far.text), 0.3, 20), held, key)


def _kin(maker: Maker) -> tuple[Piece, str, list[Piece]]:
    """Choose a passage, what it is about, and the other passages of the same sort about the same."""
    piece = maker.random.choice(maker.groups[maker.random.choice(("procedure", "technique", "mitigates", "relation"))])
    sort, key = maker.sort_of(piece), piece.other or piece.id
    of_key = maker.by_other[key] if piece.other else maker.by_id[f"{sort}|{key}"]
    return piece, key, [one for one in of_key if maker.sort_of(one) == sort]


def _all_of(maker: Maker) -> Question | None:
    """Ask with an option that takes in all or some others, or denies them; it is the right one half of the time."""
    piece, key, mine = _kin(maker)
    form = maker.random.choice(("all", "both", "none"))
    holds = maker.random.random() < 0.5
    held = {"all": 3 if holds else 1, "both": 2 if holds else 1, "none": 0 if holds else 1}[form]
    far = [one for one in maker.random.sample(maker.groups[maker.sort_of(piece)], 8) if (one.other or one.id) != key]
    if len(mine) < held or len(far) < 3:
        return None
    texts = [(maker.thin(maker.sentence(one.text), 0.3, 20), True) for one in maker.random.sample(mine, held)]
    texts += [(maker.thin(maker.sentence(one.text), 0.3, 20), False) for one in far[: 3 - held]]
    if len({text for text, _ in texts} - {""}) < 3:
        return None
    maker.random.shuffle(texts)
    true = [place for place, (_, is_held) in enumerate(texts) if is_held]
    pair = true if len(true) == 2 else sorted(maker.random.sample(range(3), 2))
    last = {
        "all": "All of the above",
        "none": "None of the above",
        "both": "Both " + " and ".join("ABC"[place] for place in pair),
    }[form]
    about = maker.label(piece.title.rpartition(" uses ")[2].rpartition(" mitigates ")[2])
    stem = maker.random.choice(("Which of the following applies to", "What is described for", "Which is true of"))
    right = 3 if holds else true[0]
    return Question(f"{form}-of", f"{stem} {about}?", (*(text for text, _ in texts), last), right, key)


_NUMBER = re.compile(r"(?<![\w.-])(?:(?:19|20)\d\d|\d{1,5})(?![\w-]|\.\d)")


def _number(maker: Maker) -> Question | None:
    """Ask for a year or another number of a sentence."""
    piece = maker.random.choice(maker.groups[maker.random.choice(("procedure", "technique", "actor", "malware"))])
    said = maker.sentence(piece.text)
    found = _NUMBER.findall(said)
    if not found:
        return None
    right = maker.random.choice(found)
    value = int(right)
    near = (
        [value + step for step in (-3, -2, -1, 1, 2, 3, 10)]
        if value < 1900
        else [value + x for x in (-4, -2, -1, 1, 2)]
    )
    wrong = [str(one) for one in near if one >= 0]
    about = maker.label(piece.title.partition(" uses ")[0])
    word = "year" if value > 1900 and len(right) == 4 else "number"
    stem = maker.thin(re.sub(rf"(?<!\w){right}(?!\w)", "", said), 0.3)
    maker.random.shuffle(wrong)
    return maker.ask("number", f"Which {word} is told of {about}: {stem}?", right, wrong, piece.id)


SORTS: dict[str, tuple[Callable[[Maker], Question | None], int]] = {
    "who": (_who, 10),
    "what-done": (_what_done, 8),
    "which-mitigation": (_which_mitigation, 10),
    "how-mitigated": (_how_mitigated, 10),
    "which-technique": (_which_technique, 10),
    "told": (_told, 8),
    "part": (_part, 22),
    "continued": (_continued, 12),
    "term": (_term, 10),
    "not-said": (_not_said, 14),
    "all-of": (_all_of, 8),
    "number": (_number, 3),
}
"""Sort of question -> how it is made, and how many of some hundred are of this sort."""


def make_questions(knowledge: Knowledge, count: int, seed: int = 20) -> list[Question]:
    """Make so many different questions from an index; the same index, count and seed give the same questions."""
    library = knowledge.pieces
    maker = Maker(list(library.read(range(library.size)).values()), seed)
    sorts = [name for name, (_, share) in SORTS.items() for _ in range(share)]
    made: dict[str, Question] = {}
    for _ in range(count * 20):
        if len(made) >= count:
            break
        sort = maker.random.choice(sorts)
        if sort in {"which-mitigation", "how-mitigated"} and not maker.groups["mitigates"]:
            continue
        if sort in {"who", "what-done", "term", "not-said", "all-of", "number"} and not maker.groups["procedure"]:
            continue
        question = SORTS[sort][0](maker)
        if question:
            made.setdefault(question.text + "|".join(question.options), question)
    return list(made.values())
