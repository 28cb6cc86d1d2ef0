"""``rules_of``: what is read of a call, what has no effect, and what is refused by name."""

from typing import Any

import pytest
import torch
from torch import nn

from tests.capture.odd_models import INDEXED, TOP_K, odd_model
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.rules import WINDOW, AttentionRules, rules_of


class Attention(nn.Module):
    """Looks like an attention module of transformers."""

    layer_idx = 0


def test_every_rule_arrives_in_its_field() -> None:
    sinks, mask = torch.ones(4), torch.ones(1, 1, 2, 2)
    found = rules_of(
        Attention(), mask, {"scaling": 0.5, "softcap": 3.0, "sliding_window": 5, "s_aux": sinks, "use_cache": True}
    )
    assert found == AttentionRules(0.5, 3.0, 5, sinks, mask)


@pytest.mark.parametrize("argument", ["position_ids", "use_cache", "dropout"])
def test_arguments_without_effect_are_let_through(argument: str) -> None:
    assert rules_of(Attention(), None, {"scaling": 1.0, argument: torch.ones(1)}) == AttentionRules(1.0)


@pytest.mark.parametrize("value", [None, False])
def test_an_argument_that_is_not_given_is_let_through(value: Any) -> None:
    assert rules_of(Attention(), None, {"scaling": 1.0, "position_bias": value}) == AttentionRules(1.0)


@pytest.mark.parametrize("argument", ["position_bias", "indices", "sinks", "block_indices"])
def test_an_unknown_argument_is_refused_by_name(argument: str) -> None:
    with pytest.raises(ValueError, match=f"Attention gives its attention function {argument}, whose effect"):
        rules_of(Attention(), None, {"scaling": 1.0, argument: torch.ones(1)})


def test_attention_that_is_not_causal_is_refused() -> None:
    with pytest.raises(ValueError, match="Attention is bidirectional"):
        rules_of(Attention(), None, {"scaling": 1.0, "is_causal": False})
    module = Attention()
    module.is_causal = False  # type: ignore[assignment]
    with pytest.raises(ValueError, match="Attention is bidirectional"):
        rules_of(module, None, {"scaling": 1.0})
    assert rules_of(Attention(), None, {"scaling": 1.0, "is_causal": True}).scaling == 1


def test_attention_without_a_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="Attention gives its attention function no scaling"):
        rules_of(Attention(), None, {})


@pytest.mark.parametrize(("found", "window"), [(7, 7), (None, None)])
def test_the_window_that_inspection_found_replaces_the_argument(found: int | None, window: int | None) -> None:
    module = Attention()
    setattr(module, WINDOW, found)
    assert rules_of(module, None, {"scaling": 1.0, "sliding_window": 5}).sliding_window == window


@pytest.mark.parametrize("kind", ["deepseek_v32", "glm_moe_dsa", "axk2"])
def test_sparse_indexers_are_refused(kind: str) -> None:
    """Under a registered name they would select nothing; a prompt within the top-k does not show it, a longer one does."""
    model, other = odd_model(kind, **INDEXED), odd_model(kind, **INDEXED | {"index_topk": 64})
    logits = [[each(input_ids=torch.arange(n)[None]).logits[0, -1] for each in (model, other)] for n in (TOP_K, 40)]
    assert torch.equal(*logits[0])
    assert (logits[1][0] - logits[1][1]).abs().max() > 1e-3
    with pytest.raises(ValueError, match="gives its attention function indices"):
        model_layers(model)
