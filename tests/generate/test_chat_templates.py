"""A template is known by its digest or refused; it is never evaluated."""

from pathlib import Path

import pytest

from casemate.core.errors import NotTrusted, WrongUsage
from casemate.stages.generate.chat_templates import KNOWN_TEMPLATES, TURNS, choose_turns
from casemate.stages.generate.gguf import ModelFile, read_model_file
from casemate.stages.generate.model_store import StoredModel, model_path
from tests.generate.tiny_gguf import PAIRS, build


def model(tmp_path: Path, template: str = "{{ evil() }}", tokens: tuple[str, ...] = ()) -> ModelFile:
    pairs = {**PAIRS, "tokenizer.chat_template": template}
    if tokens:
        pairs |= {"tokenizer.ggml.tokens": list(tokens), "tokenizer.ggml.token_type": [3] * len(tokens)}
    path = tmp_path / "model.gguf"
    path.write_bytes(build(pairs))
    return read_model_file(path)


def test_unknown_template_is_refused_with_its_digest_as_the_way_out(tmp_path: Path) -> None:
    header = model(tmp_path)
    with pytest.raises(NotTrusted, match=header.chat_template_sha256) as caught:
        choose_turns(header, "model.gguf", "chatml")
    assert f"--allow-template {header.chat_template_sha256}" in caught.value.way_out


def test_allowed_template_gives_the_named_turns_or_those_that_fit(tmp_path: Path) -> None:
    header = model(tmp_path)
    allowed = (header.chat_template_sha256,)
    assert choose_turns(header, "m", "qwen3", allowed).name == "qwen3"
    assert choose_turns(header, "m", "", allowed).name == "chatml"
    with pytest.raises(WrongUsage, match=r"no <\|start_header_id\|>"):
        choose_turns(header, "m", "llama3", allowed)
    with pytest.raises(WrongUsage, match="no turn format 'x'"):
        choose_turns(header, "m", "x", allowed)


def test_vocabulary_that_fits_no_family_needs_a_name(tmp_path: Path) -> None:
    header = model(tmp_path, tokens=("<s>", "</s>"))
    with pytest.raises(NotTrusted, match="not known") as caught:
        choose_turns(header, "m", "", (header.chat_template_sha256,))
    assert "--turns" in caught.value.way_out
    assert choose_turns(header, "m", "mistral", (header.chat_template_sha256,)).name == "mistral"


def test_every_known_template_names_a_family() -> None:
    assert set(KNOWN_TEMPLATES.values()) <= set(TURNS)
    assert all(len(digest) == 64 for digest in KNOWN_TEMPLATES)


@pytest.mark.model
def test_smollm2_turns_are_what_its_template_writes(home_with_model: Path, stored_model: StoredModel) -> None:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    header = read_model_file(model_path(home_with_model, stored_model))
    template = ImmutableSandboxedEnvironment().from_string(header.chat_template)
    written = template.render(messages=[{"role": "user", "content": "Hello\n\nyou"}], add_generation_prompt=True)
    turns = choose_turns(header, "m")
    assert written == turns.before + "Hello\n\nyou" + turns.after
