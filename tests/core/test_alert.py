"""How a list names what nobody has looked at."""

from casemate.core.alert import name_alert


def test_an_alert_is_named_by_its_rule_else_by_words_and_never_by_masks():
    assert name_alert("sshd: brute force", "Failed password for <*>") == "sshd: brute force"
    assert name_alert("", "Failed password for <*> from <*>") == "Failed password for <*> from <*>"
    assert name_alert("", '{"<*>":[{"<*>":"<*>","<*>":{"<*>":null,"<*>":<*>}}]}') == ""
    assert name_alert("", "") == ""
