"""Answered prompts of tiny random models, and one whose answer copies a token of its prompt."""

from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from tests.prefill.cases import model_of, prompt
from tokenrank.capture.answer_passes import AnswerPasses
from tokenrank.capture.reading import read
from tokenrank.oracle.oracle import Answer, AnsweredPrompt

SHAPES = ["llama", "gemma2", "qwen3", "gpt_oss"]
GIVEN = [7, 3, 60, 21, 5]
CONTEXT = range(4, 34)  # of 40 tokens
VOCABULARY, ASKS, COPIED, PLACE = 16, 15, 3, 9  # of ``copying``


def answered(
    model: PreTrainedModel, ids: Tensor, answer: list[int] | None = None, context: range | None = None, **more: Any
) -> AnsweredPrompt:
    """A prompt with this answer, or two generated tokens, and all that an oracle may ask for."""
    reading = read(model, ids, lambda _: None, max_new_tokens=len(answer or "ab"), answer_ids=answer, keep_cache=True)
    assert reading.cache is not None
    passes = AnswerPasses(model, ids, reading.answer_ids, reading.cache)
    found = Answer(tuple(reading.answer_ids.tolist()), "brought")
    return AnsweredPrompt(model, ids, found, reading.answer_layers, passes, context=context, **more)


def random_case(architecture: str, context: range | None = CONTEXT, answer: list[int] | None = None) -> AnsweredPrompt:
    """Random tokens that a tiny model has answered with random ones."""
    return answered(model_of(architecture), prompt(), answer or GIVEN, context)


def copying() -> AnsweredPrompt:
    """A model made by hand whose answer is the token 3 of its prompt, twice; no other token of the prompt counts.

    One of two layers attends: from the token that asks (or the copied one) to the copied one, whose embedding it moves to where the
    output reads it. Its queries and keys use a pair of dimensions that positions hardly rotate.
    """
    dim = 2 * VOCABULARY
    rope = {"rope_type": "default", "rope_theta": 1e12}
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=dim, intermediate_size=4, num_hidden_layers=2, num_attention_heads=1,
        num_key_value_heads=1, head_dim=dim, rope_parameters=rope, tie_word_embeddings=False, max_position_embeddings=64,
        bos_token_id=None, eos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    model: Any = LlamaForCausalLM(config)
    model.train(False)
    with torch.no_grad():
        for name, each in model.named_parameters():
            each.fill_(1.0 if "norm" in name else 0.0)
        tokens, slow = torch.arange(VOCABULARY), VOCABULARY - 1
        model.model.embed_tokens.weight[tokens, tokens] = 1.0
        model.lm_head.weight[tokens, VOCABULARY + tokens] = 1.0
        attention = model.model.layers[1].self_attn
        attention.q_proj.weight[slow, [ASKS, COPIED]] = 1.5
        attention.k_proj.weight[slow, COPIED] = 1.5
        attention.v_proj.weight[tokens, tokens] = 1.0
        attention.o_proj.weight[VOCABULARY + tokens, tokens] = 1.0
    ids = torch.tensor([1 + place % 2 if place != PLACE else COPIED for place in range(19)] + [ASKS])
    return answered(model, ids)
