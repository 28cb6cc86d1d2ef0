"""The model that is loaded is the one that was planned, and heuristics are set up for it."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.plans import plan
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.models.tiny import Tiny
from tokenrank.work.loading import load_model


def test_the_model_is_loaded_in_evaluation_mode() -> None:
    model = load_model(plan())
    assert model.config.num_hidden_layers == 4
    assert not model.training


@pytest.mark.parametrize(
    "promised", [ModelLayers(5, (0, 1, 2, 3, 4)), ModelLayers(4, (0, 2)), ModelLayers(4, (0, 1, 2, 3), {1: 8})]
)
def test_layers_other_than_promised_are_refused(promised: ModelLayers) -> None:
    made = replace(plan(), layers=promised)
    with pytest.raises(
        ValueError, match=rf"^tiny has the attention layers 0 to 3, but its config describes {promised}$"
    ):
        load_model(made)


def test_a_model_whose_answers_are_not_to_be_decoded_greedily_is_refused(tmp_path: Path) -> None:
    model, source = Tiny().model(), Tiny(path=str(tmp_path))
    Tiny().tokenizer().save_pretrained(tmp_path)
    for beams in (1, 3):
        model.generation_config.num_beams = beams
        model.save_pretrained(tmp_path)
        made = replace(plan(), source=source)
        if beams == 1:
            assert load_model(made).generation_config.num_beams == 1
    with pytest.raises(ValueError, match=r"^the model's generation_config has num_beams 3, must be null"):
        load_model(made)


def test_a_heuristic_that_cannot_be_set_up_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_self: object, _model: object) -> None:
        raise ValueError("not with this model")

    monkeypatch.setattr("tokenrank.heuristics.claa.CLAA.attach", refuses)
    with pytest.raises(ValueError, match=r"^heuristic\.claa: not with this model$"):
        load_model(plan())


def test_the_model_is_looked_at_up_to_the_longest_text_that_a_ranking_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    monkeypatch.setattr("tokenrank.work.loading.look", lambda _model, tokens: looked.append(tokens))
    for heuristic in ("claa", "speculative", "speculative heuristic.speculative.extra_query=true"):
        load_model(plan("task.lengths=[300,340]", *f"heuristic={heuristic}".split()))  # 4 answer tokens
    assert looked == [344, 348, 349]


def test_every_heuristic_is_set_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    attached: list[object] = []
    monkeypatch.setattr("tokenrank.heuristics.heuristic.Heuristic.attach", lambda self, _model: attached.append(self))
    expected: list[tuple[object, int]] = []
    monkeypatch.setattr(
        "tokenrank.heuristics.heuristic.Heuristic.expect", lambda self, tokens: expected.append((self, tokens))
    )
    made = plan("heuristic=[claa,tova,oracle]")
    load_model(made)
    assert attached == list(made.heuristics.values())
    longest = max(len(prompt.input_ids) for prompt in made.prompts)
    assert expected == [(each, longest) for each in attached]
