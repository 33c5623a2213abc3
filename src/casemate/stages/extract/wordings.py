"""The wordings by which text talks to a model, as data: what to look for cheaply, and what must stand around it."""

import re
from typing import NamedTuple


class Rule(NamedTuple):
    """One way of talking to a model.

    `marks` are lower-case substrings (ASCII) that lead to a place; `at` must match there; every pattern of `then` must
    follow within `reach` characters of the same sentence, and `before` must go before it within as many.
    """

    kind: str
    marks: tuple[bytes, ...]
    at: re.Pattern[str]
    then: tuple[re.Pattern[str], ...] = ()
    before: re.Pattern[str] | None = None
    reach: int = 90


def _re(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_EARLIER = _re(
    r"\b(?:previous(?:ly)?|prior|above|earlier|preceding|foregoing|former|initial|original|system|existing|your|my|all"
    r"|any|every|everything|other|anything|these|those|before|default|old)\b"
)
_ORDERS = _re(
    r"\b(?:instructions?|directions?|prompts?|guidelines?|rules|orders|commands|directives?|constraints|programming"
    r"|training|context|conversations?|polic(?:y|ies)|restrictions?|tasks?|safeguards|guardrails|assignments?)\b"
)
_MODEL = (
    r"(?:chatgpt|gpt-?[345o]\w{0,6}|claude|gemini|copilot|llama|bard|deepseek|(?:ai|a\.i\.|language|llm|large language)"
    r"[ -](?:language[ -])?(?:model|assistant|agent|system|chatbot|analyst)s?|\bllms?\b|\bai\b|assistant)"
)
_VERDICT = _re(
    r"\b(?:benign(?:[ -]positive)?|false[ -]positive|safe|harmless|clean|informational|legitimate|not malicious|non-malicious|resolved"
    r"|trusted|low(?:est)?[ -](?:severity|priority|risk)|authori[sz]ed|no[ -]threat|not a threat|expected behaviou?r)\b"
)
_THIS = _re(
    r"\b(?:this|it|these|the|any|all|above|following)\b.{0,30}?"
    r"\b(?:alert|incident|event|activity|finding|file|log|evidence|case|entry|entries|document|email|attachment|it|this|everything|detection)s?\b|^\s?(?:this|it)\b"
)

RULES: tuple[Rule, ...] = (
    # forget what you were told
    Rule("override", (b"ignor",), _re(r"ignor(?:e|ing|es)\b"), (_EARLIER, _ORDERS)),
    Rule(
        "override",
        (b"disregard", b"forget", b"overrid", b"neglect", b"bypass"),
        _re(r"(?:disregard(?:ing)?|forget|overrid(?:e|ing)|neglect|bypass)\b"),
        (_EARLIER, _ORDERS),
    ),
    Rule(
        "override",
        (b"not follow", b"n't follow", b"stop follow", b"not obey", b"n't obey", b"stop obey", b"not comply with"),
        _re(r"(?:not|n't|stop) (?:follow|obey|comply)\w*"),
        (_EARLIER, _ORDERS),
    ),
    Rule(
        "override",
        (b"forget ", b"ignore ", b"disregard "),
        _re(
            r"(?:forget|ignore|disregard) (?:about )?(?:everything|all|anything|what(?:ever)?)\b.{0,30}?"
            r"\b(?:you (?:know|learned|were|have been|are)|above|before|said|told|previous(?:ly)?|prior|so far|until now|up to (?:now|here))\b"
        ),
    ),
    Rule(
        "override",
        (
            b"new instruction",
            b"updated instruction",
            b"new system",
            b"real instruction",
            b"actual instruction",
            b"system override",
            b"priority instruction",
        ),
        _re(
            r"(?:new|updated|real|actual|priority|system) (?:system )?(?:instructions?|prompt|override)\s{0,2}(?::|are\b|follow|begin|from the|-{2,}|\])"
        ),
    ),
    Rule(
        "override",
        (b"instead of ", b"rather than "),
        _re(
            r"(?:instead of|rather than) (?:summari[sz]ing|analy[sz]ing|answering|following|doing|performing|completing) (?:the|this|that|your|what)\b.{0,40}?\b(?:task|text|document|alert|evidence|instructions?|question|log)s?"
        ),
    ),
    # be somebody else
    Rule(
        "role",
        (
            b"you are now",
            b"you're now",
            b"you will now",
            b"you are going to",
            b"you're going to",
            b"you will act",
            b"you are to act",
            b"you shall act",
            b"you must act",
            b"you will behave",
        ),
        _re(
            r"you(?:'re| are| will| shall| must)(?: now| going to| to)?(?: be)?(?: (?:an?|the|my|in|going to|acting|free|no longer|act|play|pretend|roleplay|role-play|simulate|behave|immerse|answer|respond|become|known|called|take))\b"
        ),
    ),
    Rule(
        "role",
        (b"from now on", b"from this point", b"starting now"),
        _re(r"from (?:now on|this point (?:on|forward)?\w*)|starting now"),
        (_re(r"\b(?:you|your|yourself|act|respond|answer|reply)\b"),),
    ),
    Rule("role", (b"pretend ",), _re(r"pretend (?:to be|you(?:'re| are)?|that you|as)\b")),
    Rule(
        "role",
        (b"act as ", b"act like ", b"behave like ", b"behave as ", b"respond as ", b"acting as "),
        _re(r"(?:act(?:ing)?|behave|respond) (?:as|like)\b"),
        (),
        _re(r"\b(?:you|please|let's|must|want|your)\b|^\s{0,8}[\"'\-*>]?\s{0,2}$"),
        60,
    ),
    Rule(
        "role",
        (
            b"play the role",
            b"roleplay",
            b"role-play",
            b"role play",
            b"take on the role",
            b"assume the role",
            b"in the role of",
            b"take the role",
            b"stay in character",
            b"immerse yourself",
            b"new persona",
            b"assume the persona",
        ),
        _re(
            r"(?:play the role of|role[ -]?play(?:ing)?(?: as| a| game|:|\b)|(?:take on|assume|take) the (?:role|persona) of|in the role of|stay in character|immerse yourself|new persona)"
        ),
        (),
        None,
    ),
    Rule(
        "role",
        (
            b"do anything now",
            b"developer mode",
            b"jailbr",
            b"dan mode",
            b"unfiltered",
            b"no restriction",
            b"without restriction",
            b"without any restriction",
            b"amoral",
            b"no ethical",
            b"without ethical",
            b"uncensored",
            b"no moral",
            b"god mode",
            b"opposite mode",
        ),
        _re(
            r"do anything now|(?:developer|god|dan|opposite) mode (?:enabled|on\b|output|is\b|activated|unlocked)|jailbr(?:eak|oken)(?: (?:prompt|mode|enabled)|\])|(?:un(?:filtered|censored)|amoral)\b.{0,40}?\b(?:ai|response|answer|chatbot|assistant|model|character|computer|persona|being|machine|language|output|version|person)s?\b|(?:no|without(?: any)?) (?:ethical|moral|restriction)\w*.{0,40}?\b(?:ai|response|answer|chatbot|guideline|limit|principle|filter|rule|obligation|consider|boundar|or)\w*"
        ),
    ),
    Rule("role", (b"stands for ",), _re(r"stands for [\"'\u201c]?(?:do anything|strive to)")),
    # the mark-up of a chat
    Rule(
        "fake-turn",
        (b"<|",),
        _re(
            r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|end_header_id|begin_of_text|end_of_text|endofprompt|end|tool|channel|message|start)\|>"
        ),
    ),
    Rule(
        "fake-turn",
        (b"[inst]", b"[/inst]", b"<<sys>>", b"<start_of_turn>", b"<end_of_turn>", b"[system]", b"[/system]"),
        _re(r"\[/?INST\]|<<SYS>>|<(?:start|end)_of_turn>|\[/?system\]\(|\[system\]\s?[:#]"),
    ),
    Rule(
        "fake-turn",
        (b"### ", b"###"),
        _re(r"###\s?(?:System|Instructions?|Response|Assistant|Human|User|Input|Prompt)(?: prompt| message)?\s?:"),
    ),
    Rule("fake-turn", (b"</s>",), _re(r"</s>\s{0,8}(?:<s>|\[INST\]|<\||(?:system|user|human|assistant)\b)")),
    Rule(
        "fake-turn",
        (b"human:", b"assistant:"),
        _re(r"(?:human|assistant):\s?[A-Z\"{]?"),
        (),
        _re(r"(?:^|\n|\\n)[ \t>*]{0,4}$"),
        8,
    ),
    Rule(
        "fake-turn",
        (b"system:", b"system prompt:", b"system message:"),
        _re(
            r"system(?: prompt| message)?:\s{0,4}[\"']?(?:you (?:are|must|will|should|shall)|ignore|disregard|from now|the (?:user|assistant|following)|forget|new instruction|do not|always)\b"
        ),
    ),
    Rule(
        "fake-turn",
        (b'"role"', b"'role'", b'\\"role\\"'),
        _re(r"\\?[\"']role\\?[\"']\s{0,4}:\s{0,4}\\?[\"'](?:system|assistant|developer)\\?[\"']"),
        (_re(r"[\"']content\\?[\"']"),),
        None,
        60,
    ),
    Rule(
        "fake-turn",
        (
            b"end of evidence",
            b"end of document",
            b"end of context",
            b"end of log",
            b"end evidence",
            b"end of untrusted",
            b"end of data",
            b"end of user",
            b"end of input",
        ),
        _re(
            r"end (?:of )?(?:the )?(?:evidence|documents?|context|logs?|untrusted \w+|data|user(?: input| message)?|input)\b"
        ),
        (_re(r"\b(?:system|instructions?|now|you|assistant|task|analyst)\b"),),
        None,
        80,
    ),
    Rule(
        "fake-turn",
        (b"<system>", b"</system>", b"<instruction", b"</instruction", b"<important>"),
        re.compile(
            r"</?(?:system|instructions?)>\s{0,8}(?:[A-Z][a-z]+|you|ignore|do|always|mark|the)\b|<(?:important|IMPORTANT)>"
        ),
    ),
    # an answer in our own words
    Rule(
        "fake-answer",
        (b"disposition",),
        _re(
            r"disposition\\?[\"']?\s{0,4}[:=]\s{0,4}\\?[\"'](?:true-positive|benign-positive|false-positive|undetermined|benign|clean|safe)\b"
        ),
    ),
    Rule(
        "fake-answer",
        (b'"findings', b'"citations', b'"summary', b'"disposition', b'\\"findings', b'\\"summary'),
        _re(r"\\?\"(?:findings|citations|summary|disposition)\\?\"\s{0,4}:"),
        (_re(r"\"(?:findings|citations|disposition|proposal)\\?\"\s{0,4}:"),),
        None,
        400,
    ),
    # call it benign
    Rule(
        "steer-verdict",
        (
            b"mark ",
            b"classify",
            b"label ",
            b"treat ",
            b"flag ",
            b"categori",
            b"triage ",
            b"close ",
            b"report ",
            b"rate ",
            b"consider ",
            b"tag ",
        ),
        _re(
            r"(?:mark|classify|label|treat|flag|categori[sz]e|triage|close|report|rate|consider|tag)\b\s{1,3}(?:this|it|these|the|all|any|every|me|that|everything|alerts?|events?|them|such)\b"
        ),
        (_re(r"\b(?:as|to|is|are|be|resolved|:)\b.{0,30}?" + _VERDICT.pattern),),
        _re(
            r"(?:^|[\s\"'(\[>:,*-])(?:please|must|should|you|always|and|to|then|now|instead|assistant|ai|analyst|soc|will|:|-)?[\s\"'(,]{0,3}$"
        ),
        90,
    ),
    Rule(
        "steer-verdict",
        (b"set ", b"assign ", b"change ", b"lower ", b"downgrade ", b"reduce "),
        _re(
            r"(?:set|assign|change|lower|downgrade|reduce) (?:the |its |this |your )?(?:alert |case |overall |incident )?(?:severity|disposition|verdict|priority|risk score|classification)\b"
        ),
        (_re(r"\b(?:to|of|as)\b"),),
        None,
        40,
    ),
    Rule(
        "steer-verdict",
        (
            b"not report",
            b"n't report",
            b"not escalate",
            b"n't escalate",
            b"not flag",
            b"n't flag",
            b"not alert",
            b"n't alert",
            b"not mention",
            b"n't mention",
            b"not investigate",
            b"not include",
            b"not analy",
            b"not raise",
            b"not cite",
            b"not summari",
        ),
        _re(
            r"(?:not|n't) (?:report|escalate|flag|alert|mention|investigate|include|analy[sz]e|raise|cite|summari[sz]e)\b"
        ),
        (_THIS,),
        _re(r"\b(?:do|must|should|please|never|will|don|shall)\s{0,2}$"),
        60,
    ),
    Rule(
        "steer-verdict",
        (
            b" verified",
            b" confirmed",
            b" reviewed",
            b" approved",
            b" cleared",
            b" whitelisted",
            b" investigated",
            b" authorized",
            b" authorised",
            b" deemed",
            b" determined",
        ),
        _re(
            r" (?:verified|confirmed|reviewed|approved|cleared|whitelisted|investigated|authori[sz]ed|deemed|determined)\b"
        ),
        (_VERDICT,),
        _re(
            r"\b(?:alert|incident|activity|finding|traffic|host|case|behaviou?r|login|connection|detection)s?\b.{0,20}?\b(?:has been|have been|was|is|were|are)\b(?: already| previously| manually| fully| internally)?$"
        ),
        80,
    ),
    Rule(
        "steer-verdict",
        (b"by the soc", b"by the security team", b"by security team", b"by soc"),
        _re(r"by (?:the )?(?:soc|security team)\b"),
        (),
        _re(r"\b(?:verified|confirmed|approved|cleared|authori[sz]ed|whitelisted|reviewed|sanctioned)\b.{0,60}$"),
        120,
    ),
    Rule(
        "steer-verdict",
        (b"no further ",),
        _re(
            r"no further (?:investigation|escalation|analysis|review|triage|action) (?:is |was )?(?:needed|required|necessary)"
        ),
    ),
    Rule(
        "steer-verdict",
        (b"nothing to see", b"nothing suspicious"),
        _re(r"nothing (?:to see here|suspicious (?:here|was found|in this))"),
    ),
    # send something out
    Rule(
        "exfiltrate",
        (b"send ", b"forward ", b"upload ", b"email ", b"post ", b"exfiltrate ", b"transmit ", b"append "),
        _re(r"(?:send|forward|upload|e?-?mail|post|exfiltrate|transmit|append)\b"),
        (
            _re(
                r"\b(?:conversations?|chat(?: history)?|system prompt|(?:your|the) (?:prompt|instructions|context|memory)|api keys?|case (?:data|file)|case notes|(?:the |this )evidence|everything (?:you|above))\b"
            ),
            _re(r"\b(?:to|at|via|in)\b"),
        ),
        None,
        120,
    ),
    Rule(
        "exfiltrate",
        (b"](http",),
        _re(r"\]\(https?://[^)\s]{0,200}?(?:\{\{?|<[A-Z]|%7B|=\[|\$\{)"),
        (),
        _re(r"!\[[^\]]{0,80}$"),
        84,
    ),
    # show the prompt
    Rule(
        "prompt-leak",
        (
            b"system prompt",
            b"initial prompt",
            b"hidden prompt",
            b"initial instruction",
            b"hidden instruction",
            b"secret instruction",
            b"original instruction",
            b"your instructions",
            b"your prompt",
            b"text above",
            b"words above",
        ),
        _re(
            r"(?:(?:system|initial|hidden|your) prompt|(?:initial|hidden|secret|original|your) instructions|(?:text|words) above)\b"
        ),
        (),
        _re(
            r"\b(?:reveal|show|print|repeat|output|display|tell|what (?:is|are|was|were)|disclose|leak|give|write|reproduce|recite|summari[sz]e|translate|expose|return)\b"
        ),
        60,
    ),
    # spoken to by name
    Rule(
        "addressed",
        (
            b"if you are a",
            b"if you're a",
            b"as an ai",
            b"as a language model",
            b"as a large language",
            b"you are a",
            b"you're a",
        ),
        _re(
            rf"(?:if |when )?(?:you(?:'re| are)|as) (?:an?|the) (?:helpful |advanced |powerful |uncensored |unfiltered |new |\w+ )?{_MODEL}\b"
        ),
    ),
    Rule(
        "addressed",
        (
            b"attention",
            b"dear ",
            b"hey ",
            b"hello",
            b"note to ",
            b"message to ",
            b"instructions for ",
            b"instruction for ",
            b"hi ",
        ),
        _re(
            rf"(?:attention|dear|hey|hello|hi|(?:note|message|instructions?) (?:to|for))[\s,:!]{{1,3}}(?:the |all |any |every )?{_MODEL}\b"
        ),
    ),
    Rule(
        "addressed",
        (b"chatgpt", b"language model", b"openai", b"ai assistant", b"ai model", b"ai agent", b"llm "),
        _re(rf"(?:chatgpt|openai|(?:large )?language model|ai (?:assistant|model|agent)s?|llms?)\b"),
        (
            _re(
                r"\b(?:must|should not|cannot|can(?:'t|not)? (?:refuse|now)|will (?:now|always|never|answer)|you (?:are|will|must|can|have|should)|respond|answer|pretend|obey|ignore|do not)\b"
            ),
        ),
        None,
        100,
    ),
    # how the answer is to look
    Rule(
        "steer-output",
        (
            b"your response",
            b"your reply",
            b"your answer",
            b"your output",
            b"your message",
            b"your responses",
            b"your summary",
            b"your explanation",
            b"your feedback",
        ),
        _re(r"your (?:response|reply|answer|output|message|summary|explanation|feedback)s?\b"),
        (),
        _re(
            r"\b(?:add|includ\w+|provid\w+|modify|replace|integrate|augment|use|us(?:e|ing)|substitute|render|scramble|insert|convert|write|remov\w+|incorporate|end|begin|start|craft|translate|embed|encode|append|present|jumble|misspell|introduce|rearrange|group|combine|alter|weave|blend|infuse|tailor|ensure|make|give|deliver|communicate|express|conclude|finish|prefix|limit|keep|format|mention|adjust|enrich|enhance|shift|apply|implement|mix|swap|suggest\w*|encourag\w+|highlight|recommend|steer|anagram|utili[sz]e|send|structure|transform|change|in|of|letters|words)\b"
        ),
        100,
    ),
    Rule(
        "steer-output",
        (b"in your ", b"as your "),
        _re(
            r"(?:in|as) your (?:final |next |first )?(?:response|reply|answer|output|summary|conclusion|assessment|report)\b"
        ),
    ),
    Rule(
        "steer-output",
        (b"respond ", b"reply ", b"answer ", b"say ", b"output "),
        _re(
            r"(?:respond|reply|answer|say|output) (?:only |just |exactly |simply |always |back )+(?:with|in|as|the|[\"'])"
        ),
        (),
    ),
    # the same in languages written in Latin letters
    Rule(
        "override",
        (b"ignore", b"oublie", b"tenez pas compte", b"tiens pas compte"),
        _re(r"(?:ignore[zr]?|oublie[zr]?|(?:tenez|tiens) pas compte)\b"),
        (
            _re(r"\b(?:instructions|consignes|r\u00e8gles|directives)\b"),
            _re(r"\b(?:pr\u00e9c\u00e9dent|ci-dessus|ant\u00e9rieur|toutes|les|vos|tes)\w*"),
        ),
    ),
    Rule(
        "override",
        (b"ignor", b"olvid", b"descart", b"omit", b"caso omiso", b"haga caso"),
        _re(r"(?:ignor[ae]\w*|olvid[ae]\w*|descart[ae]\w*|omit[ae]|caso omiso)\b"),
        (
            _re(
                r"\b(?:instrucciones|indicaciones|reglas|\u00f3rdenes|instru\u00e7\u00f5es|regras|ordens|istruzioni|regole|indicazioni)\b"
            ),
        ),
    ),
    Rule(
        "override",
        (b"esque", b"desconsider", b"dimentic"),
        _re(r"(?:esque[\u00e7c]a\w*|desconsider\w+|dimentic\w+)\b"),
        (_re(r"\b(?:instru[\u00e7c][\u00f5o]es|regras|ordens|istruzioni|regole|indicazioni)\b"),),
    ),
    Rule(
        "override",
        (b"ignorier", b"vergiss", b"vergessen sie", b"missacht", b"negeer", b"ignorera", b"glem "),
        _re(r"(?:ignorier\w*|vergiss|vergessen sie|missacht\w*|negeer|ignorera|glem)\b"),
        (_re(r"\b(?:anweisung|instruktion|regel|vorgabe|befehl|instructie|opdracht|instruks)\w*"),),
    ),
    Rule(
        "override",
        (b"zignoruj", b"abaikan", b"ignoruj"),
        _re(r"(?:zignoruj|abaikan|ignoruj)\w*\b"),
        (_re(r"\b(?:instrukcj|polece|instruksi|perintah|pokyn|instrukc)\w*"),),
    ),
)
"""Every rule, in the order of the kinds; a rule belongs here only when real text made it needed."""

FOREIGN: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = (
    (
        ("忽略", "无视", "無視", "忘记", "忘記", "不要理会", "忽視"),
        _re(r"(?:忽略|无视|無視|忽視|忘记|忘記|不要理会).{0,20}?(?:指令|指示|说明|說明|规则|規則|提示|命令)"),
    ),
    (("指示", "命令", "ルール", "プロンプト"), _re(r"(?:指示|命令|ルール|プロンプト).{0,10}?(?:無視|忘れ)")),
    (("지시", "명령", "규칙", "지침", "프롬프트"), _re(r"(?:지시|명령|규칙|지침|프롬프트).{0,12}?(?:무시|잊)")),
    (
        ("игнориру", "Игнориру", "забудь", "Забудь", "не обращай", "проигнориру"),
        _re(r"(?:(?:про)?игнориру\w*|забудь\w*|не обращай\w*).{0,50}?(?:инструкци|указани|правил|команд)\w*"),
    ),
    (
        ("ігнору", "Ігнору", "Забудь", "забудь"),
        _re(r"(?:ігнору\w*|забудь\w*).{0,50}?(?:інструкці|вказівк|правил|команд)\w*"),
    ),
    (("تجاهل", "انس"), _re(r"(?:تجاهل|انس).{0,40}?(?:التعليمات|الأوامر|القواعد|تعليمات)")),
    (("निर्देश", "आदेश"), _re(r"(?:निर्देश|आदेश).{0,30}?(?:अनदेखा|नज़रअंदाज़|भूल)")),
    (("bỏ qua", "phớt lờ", "Bỏ qua"), _re(r"(?:bỏ qua|phớt lờ).{0,40}?(?:hướng dẫn|chỉ dẫn|lệnh|chỉ thị)")),
    (
        ("önceki", "Önceki", "yukarıdaki", "Yukarıdaki"),
        _re(r"(?:önceki|yukarıdaki).{0,40}?(?:talimat|komut)\w*.{0,30}?(?:yok say|unut|görmezden|dikkate alma)\w*"),
    ),
    (("התעלם", "שכח"), _re(r"(?:התעלם|שכח).{0,40}?(?:הוראות|הנחיות|כללים)")),
)
"""The same wish in languages written otherwise: the words that lead to a place, and what must stand there."""
