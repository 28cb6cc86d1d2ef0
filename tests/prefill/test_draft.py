"""The draft engine: kept tokens at their original positions, against the slow version in which no layer sees the others."""

from pathlib import Path

import pytest
import torch

from tests.prefill.cases import PLAIN, TOKENS, answered, layers_of, model_of, prefilled, prompt
from tests.prefill.slow import Hidden, masked_logits
from tests.prefill.test_layerwise import slow_best
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.speculative import Speculative
from tokenrank.models.tiny import Tiny, byte_tokenizer
from tokenrank.prefill.draft import Draft
from tokenrank.prefill.engine import Job

SPECULATIVE = Speculative(look_ahead=3, kernel=3)


@pytest.mark.parametrize("kept", [8, 16])
@pytest.mark.parametrize("architecture", PLAIN)
def test_reading_only_the_kept_tokens_is_hiding_the_others(architecture: str, kept: int) -> None:
    model = model_of(architecture)
    wanted = slow_best(SPECULATIVE.draft_scores(model, prompt()), kept)
    done = prefilled(architecture, Draft(window=4), SPECULATIVE, kept)
    assert done.kept.tolist() == wanted
    assert done.next_position == TOKENS
    answer, logits = answered(done)
    hidden = Hidden(TOKENS, {-1: wanted}, {})
    assert torch.allclose(masked_logits(model, prompt(), answer, hidden), logits, atol=1e-4)


def test_a_draft_model_chooses_its_own_tokens(tmp_path: Path) -> None:
    target, draft = Tiny(name="target"), Tiny(name="draft", seed=3)
    draft.model().save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    model, ids = target.model(), torch.arange(60) % 250
    own, drafted = (
        Draft(window=4).prefill(Job(model, Speculative(draft=path), ids, 20, answer_tokens=1)).kept.tolist()
        for path in (None, str(tmp_path))
    )
    alone = Draft(window=4).prefill(Job(draft.model(), Speculative(), ids, 20, answer_tokens=1)).kept.tolist()
    assert drafted == alone
    assert drafted != own


def test_the_draft_is_loaded_before_the_first_prompt(tmp_path: Path) -> None:
    Tiny(name="draft").model().save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    speculative = Speculative(draft=str(tmp_path))
    assert "_model" not in vars(speculative)
    speculative.attach(model_of("llama"))
    assert "_model" in vars(speculative)
    with pytest.raises(ValueError, match="no such file or folder"):
        Speculative(draft=str(tmp_path / "none")).attach(model_of("llama"))


def test_the_drafts_time_is_spent_choosing() -> None:
    assert prefilled("llama", Draft(window=4), SPECULATIVE, 12).choosing_seconds > 0


def test_a_heuristic_without_a_draft_is_refused() -> None:
    with pytest.raises(ValueError, match="CLAA ranks what the model has read; the draft engine needs"):
        Draft().resolved(CLAA(), layers_of("llama"))
    with pytest.raises(ValueError, match="CLAA ranks what the model has read, so it cannot rank before"):
        CLAA().draft_scores(model_of("llama"), prompt())
