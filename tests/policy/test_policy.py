"""A policy is read whole or refused with the setting's name."""

from pathlib import Path

import pytest

from casemate.core.assessment import Disposition
from casemate.core.cost import Cost
from casemate.core.errors import WrongUsage
from casemate.core.marking import Marking, strictest
from casemate.policy import Policy, Price, Quota, load_policy


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "policy.toml"
    file.write_text(text, "utf-8")
    return file


def test_without_a_file_the_defaults_hold_and_allow_loopback_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CASEMATE_POLICY", raising=False)
    assert load_policy() == Policy()
    assert set(Policy().engine_hosts) == {"127.0.0.1", "::1", "localhost"}


def test_a_file_is_read_and_named_by_its_content(tmp_path: Path):
    policy = load_policy(written(tmp_path, 'default_marking = "red"\n[limits]\nunpack_depth = 2\n'))
    assert policy.default_marking is Marking.RED
    assert policy.limits.unpack_depth == 2
    assert policy.digest != Policy().digest


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("engine_host = []", "engine_host"),
        ("[limits]\nunpack_dept = 2", "unpack_dept"),
        ("[limits]\nunpack_depth = 0", "unpack_depth"),
        ('default_marking = "purple"', "default_marking"),
        ('own_networks = ["10.0.0.0/99"]', "own_networks"),
        ('trusted_proxies = ["*"]', "trusted_proxies"),
        ("retries = [", "TOML"),
        ('[review]\nfour_eyes_dispositions = ["bad"]', "four_eyes_dispositions"),
        ('[review]\nfour_eye_markings = ["red"]', "four_eye_markings"),
        ('[[review.raci]]\nresponsible = ["reader"]', "row 1: responsible: the role 'reader' may not review"),
        ('[[review.raci]]\n[[review.raci]]\nconsulted = ["reader"]', "row 2: consulted"),
        ("[[review.raci]]\nconsult_first = true", "consult_first needs the roles"),
        ('[[review.raci]]\ninformed = ["boss"]', "informed"),
    ],
)
def test_what_is_wrong_is_refused_by_name(tmp_path: Path, text: str, named: str):
    with pytest.raises(WrongUsage, match=named):
        load_policy(written(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(WrongUsage, match="nowhere"):
        load_policy(tmp_path / "nowhere.toml")


def test_the_strictest_marking_is_carried():
    assert strictest([Marking.GREEN, Marking.AMBER_STRICT, Marking.CLEAR]) is Marking.AMBER_STRICT
    assert strictest([]) is Marking.AMBER
    assert Marking.AMBER_STRICT.label == "TLP:AMBER+STRICT"


def test_quota_and_prices(tmp_path: Path):
    text = """
[quota]
tokens_per_case = 5000
[[prices]]
name = "hosted"
prompt_million = 3.0
generated_million = 15.0
[[prices]]
name = "our own box"
machine_hour = 0.36
currency = "EUR"
"""
    policy = load_policy(written(tmp_path, text))
    assert (policy.quota.tokens_per_case, policy.quota.tokens_per_day) == (5000, 0)
    cost = Cost(2, 1_000_000, 400_000, 100_000, 7200.0)
    assert [round(price.of(cost), 6) for price in policy.prices] == [4.5, 0.72]


def test_prices_decide_no_result_and_the_quota_does():
    assert Policy(prices=(Price("hosted", 3.0),)).digest == Policy().digest
    assert Policy(quota=Quota(tokens_per_case=1)).digest != Policy().digest


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[quota]\ntokens_per_case = -1", "tokens_per_case"),
        ("[quota]\nseconds_per_case = nan", "seconds_per_case"),
        ("[quota]\ntokens = 5", "quota.tokens"),
        ('[[prices]]\nname = ""', "name of its own"),
        ('[[prices]]\nname = "a"\n[[prices]]\nname = "a"', "name of its own"),
        ('[[prices]]\nname = "a"\nmachine_hour = inf', "'a': amounts"),
    ],
)
def test_quota_and_prices_that_make_no_sense_are_refused(tmp_path: Path, text: str, named: str):
    with pytest.raises(WrongUsage, match=named):
        load_policy(written(tmp_path, text))


def test_the_table_of_who_does_what_is_read_and_changes_no_result(tmp_path: Path):
    text = """
[review]
four_eyes_dispositions = ["false-positive"]
four_eyes_markings = ["red"]
[[review.raci]]
markings = ["red"]
responsible = ["reviewer"]
accountable = ["admin"]
informed = ["reader"]
"""
    policy = load_policy(written(tmp_path, text))
    red = policy.duties(Disposition.TRUE_POSITIVE, Marking.RED)
    assert (red.responsible, red.accountable, red.informed, red.second) == (
        ("reviewer",),
        ("admin",),
        ("reader",),
        True,
    )
    assert policy.duties(Disposition.FALSE_POSITIVE, Marking.AMBER).second
    assert not policy.duties(Disposition.TRUE_POSITIVE, Marking.AMBER).second
    assert policy.duties(Disposition.TRUE_POSITIVE, Marking.AMBER).responsible == policy.deciding_roles
    assert policy.digest == Policy().digest


OIDC = """
[oidc]
issuer = "https://id.example"
hosts = ["id.example"]
client_id = "casemate"
address = "https://casemate.example"
[[oidc.grants]]
value = "soc"
role = "analyst"
clearance = "amber"
"""


def test_an_issuer_is_read_and_changes_no_result(tmp_path: Path):
    policy = load_policy(written(tmp_path, OIDC))
    assert policy.oidc.grants[0].clearance is Marking.AMBER
    assert policy.digest == Policy().digest
    assert load_policy(
        written(tmp_path, OIDC.replace("https://id.example", "http://127.0.0.1:9").replace('["id', '["127.0.0.1", "id'))
    )


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('hosts = ["id.example"]', "", "oidc.issuer is on a host that oidc.hosts does not name"),
        ('"https://id.example"', '"http://id.example"', "oidc.issuer must be https"),
        ('"https://id.example"', '"https://id.example@evil.example"', "oidc.issuer has what"),
        ('"https://id.example"', '"https://id.example:x"', "oidc.issuer is no address"),
        ('"https://id.example"', '"https://evil.example\\\\@id.example"', "oidc.issuer"),
        ('issuer = "https://id.example"', "", "oidc.issuer is missing"),
        ('client_id = "casemate"', "", "oidc.client_id is missing"),
        ("https://casemate.example", "https://casemate.example/path", "oidc.address is scheme and host only"),
        ("https://casemate.example", "http://casemate.example", "oidc.address must be https"),
        ("[[oidc", 'secret_file = "a"\nsecret_environment = "B"\n[[oidc', "not both"),
        ("[[oidc", 'secret_environment = "$B"\n[[oidc', "secret_environment"),
        ("[[oidc", 'scopes = ["profile"]\n[[oidc', "oidc.scopes"),
        ('role = "analyst"', 'role = "king"', "role"),
        ('clearance = "amber"', "", "clearance"),
    ],
)
def test_an_issuer_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, named: str):
    assert old in OIDC
    with pytest.raises(WrongUsage, match=named):
        load_policy(written(tmp_path, OIDC.replace(old, new)))


def test_an_issuer_whom_nobody_can_come_in_by_is_refused(tmp_path: Path):
    with pytest.raises(WrongUsage, match="nobody could sign in"):
        load_policy(written(tmp_path, OIDC.partition("[[")[0]))
