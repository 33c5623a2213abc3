"""A bundle is whole and signed by a trusted key, or nothing of it is used."""

import base64
import json
import tarfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.bundle.archive import BLOCK, header_of
from casemate.bundle.manifest import BundleRefused, read_manifest
from casemate.bundle.read import read_bundle
from casemate.bundle.signature import open_signature, read_public_key, sign, written_key
from casemate.core.digest import canonical_json, digest_bytes
from casemate.core.errors import NotTrusted, WrongUsage
from casemate.policy import Limits
from tests.bundle.bundles import FILES, KEY, OTHER_KEY, TRUSTED, join, make_bundle, member, members

LIMITS = Limits()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("sound") / "tiny.bundle")


def refusal(path: Path, limits: Limits = LIMITS) -> str:
    with pytest.raises(BundleRefused) as caught:
        read_bundle(path, TRUSTED, limits)
    assert caught.value.way_out
    return caught.value.code


def altered(sound: Path, tmp_path: Path, parts: list[tuple[bytes, bytes]], end: bytes = bytes(2 * BLOCK)) -> Path:
    path = tmp_path / "altered.bundle"
    path.write_bytes(join(parts, end))
    return path


def resigned(sound: Path, tmp_path: Path, manifest: dict[str, object], contents: list[tuple[str, bytes]]) -> Path:
    """Sign a manifest that no builder would write with the trusted key: a careless or hostile signer."""
    data = canonical_json(manifest)
    digests = {name: digest_bytes(content) for name, content in contents} | {"manifest.json": digest_bytes(data)}
    signature = sign(f"{manifest['name']}-{manifest['version']}", digests, KEY)
    parts = [member("model.sig", signature), member("manifest.json", data)]
    return altered(sound, tmp_path, parts + [member(name, content) for name, content in contents])


def test_a_sound_bundle_is_read_whole(sound: Path) -> None:
    verified = read_bundle(sound, TRUSTED, LIMITS)
    assert verified.manifest.title == "tiny-1.0"
    assert verified.key == TRUSTED[0]
    assert {entry.name: entry.sha256 for entry in verified.manifest.files} == {
        name: digest_bytes(data) for name, data in FILES.items()
    }


def test_the_same_inputs_give_the_same_bytes(sound: Path, tmp_path: Path) -> None:
    assert make_bundle(tmp_path / "again").read_bytes() == sound.read_bytes()


def test_tar_opens_it(sound: Path, tmp_path: Path) -> None:
    raw = zstandard.ZstdDecompressor().stream_reader(sound.open("rb")).read()
    (tmp_path / "plain.tar").write_bytes(raw)
    with tarfile.open(tmp_path / "plain.tar") as tar:
        assert tar.getnames() == ["model.sig", "manifest.json", *sorted(FILES)]


def test_without_a_trusted_key_nothing_is(sound: Path) -> None:
    with pytest.raises(NotTrusted, match="no key is trusted"):
        read_bundle(sound, (), LIMITS)


def test_another_key_is_not_trusted_whatever_the_bundle_says(tmp_path: Path) -> None:
    assert refusal(make_bundle(tmp_path / "b", key=OTHER_KEY)) == "key-not-trusted"


def test_a_key_hint_that_lies_gains_nothing(sound: Path, tmp_path: Path) -> None:
    theirs = members(make_bundle(tmp_path / "theirs", key=OTHER_KEY))
    ours = json.loads(members(sound)[0][1])
    lying = json.loads(theirs[0][1])
    lying["verificationMaterial"] = ours["verificationMaterial"]
    path = altered(sound, tmp_path, [member("model.sig", canonical_json(lying)), *theirs[1:]])
    assert refusal(path) == "signature-wrong"


@pytest.mark.parametrize("place", range(len(FILES)))
def test_a_changed_file_is_found(sound: Path, tmp_path: Path, place: int) -> None:
    parts = members(sound)
    header, content = parts[2 + place]
    parts[2 + place] = (header, bytes([content[0] ^ 1]) + content[1:])
    assert refusal(altered(sound, tmp_path, parts)) == "file-changed"


def test_a_changed_manifest_is_found(sound: Path, tmp_path: Path) -> None:
    parts = members(sound)
    changed = parts[1][1].replace(b'"version":"1.0"', b'"version":"9.9"')
    parts[1] = member("manifest.json", changed)
    assert refusal(altered(sound, tmp_path, parts)) == "manifest-changed"


def test_a_changed_list_of_files_is_found(sound: Path, tmp_path: Path) -> None:
    parts = members(sound)
    raw = json.loads(parts[0][1])
    payload = base64.b64decode(raw["dsseEnvelope"]["payload"]).replace(b"tiny-1.0", b"tiny-9.0")
    raw["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    parts[0] = member("model.sig", canonical_json(raw))
    assert refusal(altered(sound, tmp_path, parts)) == "signature-wrong"


def test_files_missing_added_or_in_another_order_are_found(sound: Path, tmp_path: Path) -> None:
    parts = members(sound)
    for wrong in (parts[:-1], [*parts, member("more.txt", b"more")], [*parts[:2], *reversed(parts[2:])], parts[1:]):
        assert refusal(altered(sound, tmp_path, wrong)) == "member-wrong"


def test_two_sound_bundles_cannot_be_mixed(sound: Path, tmp_path: Path) -> None:
    ours = members(sound)
    theirs = members(make_bundle(tmp_path / "b", {**FILES, "LICENSE": b"other"}, version="2.0"))
    assert refusal(altered(sound, tmp_path, [ours[0], *theirs[1:]])) == "manifest-changed"
    assert refusal(altered(sound, tmp_path, [*ours[:2], *theirs[2:]])) in ("member-wrong", "file-changed")


@pytest.mark.parametrize(
    ("kind", "code"), [(tarfile.SYMTYPE, "member-wrong"), (tarfile.LNKTYPE, "member-wrong"), (b"5", "member-wrong")]
)
def test_links_and_folders_are_no_members(sound: Path, tmp_path: Path, kind: bytes, code: str) -> None:
    link = tarfile.TarInfo("LICENSE")
    link.type, link.linkname = kind, "/etc/passwd"
    parts = members(sound)
    parts[2] = (link.tobuf(tarfile.GNU_FORMAT), b"")
    assert refusal(altered(sound, tmp_path, parts)) == code


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/../../b", ".hidden", "a//b", "C:evil", "a\\b", "x" * 99 + "/y"]
)
def test_names_that_lead_elsewhere_are_refused_in_the_archive(sound: Path, tmp_path: Path, name: str) -> None:
    parts = members(sound)
    entry = tarfile.TarInfo(name)
    parts[2] = (entry.tobuf(tarfile.GNU_FORMAT)[:BLOCK], b"")
    assert refusal(altered(sound, tmp_path, parts)) == "member-wrong"


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", ".hidden", "a/../b", "manifest.json", "model.sig"])
def test_names_that_lead_elsewhere_are_refused_even_when_signed(sound: Path, tmp_path: Path, name: str) -> None:
    manifest = json.loads(members(sound)[1][1])
    manifest["files"] = sorted(
        [*manifest["files"], {"name": name, "size": 1, "sha256": digest_bytes(b"x")}], key=lambda one: one["name"]
    )
    contents = sorted([*FILES.items(), (name, b"x")])
    assert refusal(resigned(sound, tmp_path, manifest, contents)) in ("statement-wrong", "manifest-wrong")


@pytest.mark.parametrize(
    "change",
    [
        {"format": "casemate-bundle-2"},
        {"kind": "program"},
        {"version": "1.0-beta"},
        {"version": "01"},
        {"name": "Tiny!"},
        {"base": "0" * 64},
        {"template_sha256": "x"},
        {"extra": 1},
        {"files": []},
    ],
)
def test_a_signed_manifest_that_is_none_is_refused(sound: Path, tmp_path: Path, change: dict[str, object]) -> None:
    manifest = json.loads(members(sound)[1][1]) | change
    assert refusal(resigned(sound, tmp_path, manifest, sorted(FILES.items()))) == "manifest-wrong"


def test_a_file_larger_than_announced_is_not_unpacked(sound: Path, tmp_path: Path) -> None:
    parts = members(sound)
    parts[2] = member("LICENSE", b"x" * 100_000)
    assert refusal(altered(sound, tmp_path, parts)) == "member-wrong"


def test_a_bomb_before_the_signature_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    with path.open("wb") as out, zstandard.ZstdCompressor().stream_writer(out, closefd=False) as stream:
        stream.write(header_of("model.sig", 8 * 1024**3))
        for _ in range(64):
            stream.write(bytes(1024 * 1024))
    assert path.stat().st_size < 100_000
    assert refusal(path) == "too-large"


def test_sizes_and_counts_have_limits(sound: Path) -> None:
    assert refusal(sound, Limits(bundle_files=3)) == "too-large"
    assert refusal(sound, Limits(model_file_bytes=3000)) == "too-large"
    assert refusal(sound, Limits(bundle_manifest_bytes=1000)) == "too-large"


def test_what_stands_behind_the_end_is_found(sound: Path, tmp_path: Path) -> None:
    whole = sound.read_bytes()
    path = tmp_path / "b"
    for more in (b"x", zstandard.ZstdCompressor().compress(b"more"), bytes(100)):
        path.write_bytes(whole + more)
        assert refusal(path) == "archive-wrong"
    assert refusal(altered(sound, tmp_path, members(sound), bytes(3 * BLOCK))) == "archive-wrong"
    assert refusal(altered(sound, tmp_path, members(sound), bytes(BLOCK) + b"x" * BLOCK)) == "archive-wrong"


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b"
    for data in (b"", b"GGUF", b"PK\x03\x04" + bytes(100)):
        path.write_bytes(data)
        assert refusal(path) in ("archive-wrong", "archive-cut")
    with pytest.raises(WrongUsage):
        read_bundle(tmp_path / "none", TRUSTED, LIMITS)


def test_a_bundle_cut_anywhere_is_refused(sound: Path, tmp_path: Path) -> None:
    whole = sound.read_bytes()
    path = tmp_path / "cut"
    for length in range(0, len(whole), 23):
        path.write_bytes(whole[:length])
        assert refusal(path) in ("archive-cut", "archive-wrong", "member-wrong")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_changed_byte_gets_through(
    sound: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Change bytes of the unpacked archive, so that the checksum of the packing is not what finds it."""
    raw = bytearray(zstandard.ZstdDecompressor().stream_reader(sound.open("rb")).read())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("fuzz") / "b"
    path.write_bytes(zstandard.ZstdCompressor().compress(bytes(raw)))
    refusal(path)


def test_a_signature_file_in_another_form_is_refused(sound: Path, tmp_path: Path) -> None:
    parts = members(sound)
    for old, new in ((b'"keyid"', b'"kexid"'), (b'"tlogEntries":[]', b'"tlogEntries":{}'), (b'{"dsse', b'{ "dsse')):
        changed = [member("model.sig", parts[0][1].replace(old, new)), *parts[1:]]
        assert refusal(altered(sound, tmp_path, changed)) == "signature-wrong"


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=400))
def test_hostile_signatures_and_manifests_are_refused(data: bytes) -> None:
    for read in (open_signature, read_manifest):
        with pytest.raises(BundleRefused):
            read(data)


def test_deeply_nested_json_is_refused() -> None:
    for read in (open_signature, read_manifest):
        with pytest.raises(BundleRefused):
            read(b"[" * 100_000)


def test_keys_are_made_once_and_read_back(tmp_path: Path) -> None:
    from casemate.bundle.signature import make_key, read_private_key

    private, public = tmp_path / "k", tmp_path / "k.pub"
    written = make_key(private, public)
    assert written == read_public_key(public) == written_key(read_private_key(private).public_key().public_bytes_raw())
    assert private.stat().st_mode & 0o777 == 0o600
    with pytest.raises(WrongUsage):
        make_key(private, public)
    for wrong in (public, tmp_path / "none"):
        with pytest.raises(WrongUsage):
            read_private_key(wrong)
    with pytest.raises(WrongUsage):
        read_public_key(private)


def test_the_package_model_signing_reads_it(sound: Path, tmp_path: Path) -> None:
    """The other implementation of the format agrees about folder, statement and signed bytes, but for the key."""
    pytest.importorskip("model_signing", reason="the package model-signing is not installed")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from model_signing._signing import sign_sigstore_pb
    from model_signing.verifying import Config

    class Ed25519Verifier(sign_sigstore_pb.Verifier):
        def _verify_bundle(self, bundle):  # type: ignore[no-untyped-def]
            envelope = bundle.dsse_envelope
            key = Ed25519PublicKey.from_public_bytes(KEY.public_key().public_bytes_raw())
            key.verify(envelope.signatures[0].sig, sign_sigstore_pb.pae(envelope.payload))
            return envelope.payload_type, envelope.payload

    raw = zstandard.ZstdDecompressor().stream_reader(sound.open("rb")).read()
    (tmp_path / "plain.tar").write_bytes(raw)
    with tarfile.open(tmp_path / "plain.tar") as tar:
        tar.extractall(tmp_path / "tiny-1.0", filter="data")
    config = Config()
    config._verifier, config._uses_sigstore = Ed25519Verifier(), False
    config.verify(tmp_path / "tiny-1.0", tmp_path / "tiny-1.0" / "model.sig")
    (tmp_path / "tiny-1.0" / "LICENSE").write_bytes(b"changed")
    with pytest.raises(ValueError, match="mismatch"):
        config.verify(tmp_path / "tiny-1.0", tmp_path / "tiny-1.0" / "model.sig")
