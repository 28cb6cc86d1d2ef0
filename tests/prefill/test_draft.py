"""The draft engine: kept tokens at their original positions, against the slow version in which no layer sees the others."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from tests.capture.odd_models import odd_model
from tests.prefill.cases import PLAIN, TOKENS, answered, layers_of, model_of, prefilled, prompt
from tests.prefill.slow import Hidden, masked_logits
from tests.prefill.test_layerwise import slow_best
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.operations import counted
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.speculative import Speculative
from tokenrank.library_inputs import prepare
from tokenrank.models.tiny import Tiny, byte_tokenizer
from tokenrank.prefill.draft import Draft
from tokenrank.prefill.engine import Job
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.tasks.task import Prompt

SPECULATIVE = Speculative(look_ahead=3, kernel=3, chunk=None)


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


class Ranked(Speculative):
    """Scores that are given: higher for the earlier, or for the later tokens."""

    def draft_scores(self, model: PreTrainedModel, input_ids: torch.Tensor) -> torch.Tensor:
        places = torch.arange(len(input_ids), dtype=torch.float32)
        return -places if self.last_query else places


def test_without_a_window_the_best_tokens_are_kept_and_no_others(caplog: pytest.LogCaptureFixture) -> None:
    """The answer is read from the last token kept, as in the original, and the log says where that is not the prompt's last."""
    done = prefilled("llama", Draft(window=0), Ranked(last_query=True), 12)
    assert done.kept.tolist() == list(range(12))
    assert done.next_position == 12
    assert f"the last kept token is number 11 of {TOKENS}: the answer is read from it" in caplog.text
    model: Any = model_of("llama")
    plain = model.generate(
        prompt()[None, :12], attention_mask=torch.ones(1, 12), max_new_tokens=4, do_sample=False
    )  # the first tokens alone
    assert done.answer(4) == plain[0, 12:].tolist()


def test_without_a_window_a_prompts_last_token_that_is_kept_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    done = prefilled("llama", Draft(window=0), Ranked(last_query=False), 12)
    assert done.kept.tolist() == list(range(TOKENS - 12, TOKENS))
    assert done.next_position == TOKENS
    assert not caplog.text
    forced = prefilled("llama", Draft(window=4), Ranked(last_query=True), 12)
    assert forced.kept.tolist() == [*range(8), *range(TOKENS - 4, TOKENS)]
    assert forced.next_position == TOKENS


def test_only_the_draft_engine_may_do_without_a_window() -> None:
    assert Draft(window=0).window == 0
    with pytest.raises(ValueError, match="window is -1, must be at least 0"):
        Draft(window=-1)
    with pytest.raises(ValueError, match="window is 0, must be at least 1 token: the answer is read from the last one"):
        Layerwise(window=0)


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


def test_the_look_at_a_draft_model_is_not_counted_as_operations_of_its_first_prompt(tmp_path: Path) -> None:
    Tiny(seed=3).model().save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    speculative, model = Speculative(draft=str(tmp_path), device="cpu"), Tiny().model()
    prompt = Prompt("one", "prompts", tuple(i % 250 for i in range(60)), 2)
    prepare(speculative, model, byte_tokenizer(), model_layers(model), [prompt], "generated")
    job, counts = Job(model, speculative, torch.tensor(prompt.input_ids), 20, answer_tokens=1), []
    for _ in range(2):
        with counted() as flops:
            Draft().prefill(job)
        counts.append(flops.total)
    assert counts[0] == counts[1] > 0


def test_a_draft_model_that_cannot_be_captured_is_refused_before_the_first_prompt(tmp_path: Path) -> None:
    odd_model("doge").save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    speculative = Speculative(draft=str(tmp_path), device="cpu")
    with pytest.raises(ValueError, match="DogeForCausalLM gives its attention function a mask that is more than"):
        speculative.expect(40)


def test_the_drafts_time_is_spent_choosing() -> None:
    assert prefilled("llama", Draft(window=4), SPECULATIVE, 12).choosing_seconds > 0


def test_a_heuristic_without_a_draft_is_refused() -> None:
    with pytest.raises(ValueError, match="CLAA ranks what the model has read; the draft engine needs"):
        Draft().resolved(CLAA(), layers_of("llama"))
    with pytest.raises(ValueError, match="CLAA ranks what the model has read, so it cannot rank before"):
        CLAA().draft_scores(model_of("llama"), prompt())
