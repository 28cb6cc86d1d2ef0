"""Metric and what belongs to it: how many tokens a percentage keeps, what applies, and every config's chance level."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from tokenrank.metrics.evidence import evidence_recall_at_k
from tokenrank.metrics.metric import Metric, Target, no_association, share_kept, tokens_kept
from tokenrank.metrics.needle import needle_recall_at_k
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.metrics.recall import recall_at_k

CONFIGS = Path(__file__).parents[2] / "configs" / "metric"
NAMES = sorted(file.stem for file in CONFIGS.glob("*.yaml") if file.stem not in ("all", "lds", "drop", "kept"))
TOKENS = 60
NEEDLE = range(20, 27)


def metric(name: str) -> Metric:
    node: Any = OmegaConf.load(CONFIGS / f"{name}.yaml")
    built: Metric = instantiate(node[name], _convert_="all")
    return built


def uneven(rows: int, seed: int) -> Tensor:
    """Importance as oracles have it: few tokens hold most."""
    return torch.rand(rows, TOKENS, generator=torch.Generator().manual_seed(seed)).pow(8)


def many(name: str) -> int:
    """Random rankings enough to see a chance level; scipy's tau-b takes them one by one."""
    return 3_000 if name == "kendall" else 20_000


def random_rankings(rows: int) -> Ranking:
    return Ranking(torch.rand(rows, TOKENS, generator=torch.Generator().manual_seed(9)))


def away_from(chance: float, values: Tensor) -> float:
    """How many standard errors the mean of the values is away from the chance level."""
    return float((values.mean() - chance).abs() / (values.std() / len(values) ** 0.5))


@pytest.mark.parametrize("percent", [1, 3, 5, 10, 40, 99, 100])
def test_percentages_round_down_but_keep_a_token(percent: int) -> None:
    for tokens in range(1, 300):
        assert tokens_kept(percent, tokens) == max(1, tokens * percent // 100)


def test_a_hundred_percent_keeps_all_and_a_trifle_keeps_one() -> None:
    assert tokens_kept(100, 1239) == 1239
    assert tokens_kept(0.001, 1239) == 1


def test_percentages_with_decimals_round_down_too() -> None:
    for tenths in range(1, 1001):
        for tokens in (1000, 3000, 5500):
            assert tokens_kept(tenths / 10, tokens) == max(1, tokens * tenths // 1000), (tenths, tokens)


@pytest.mark.parametrize("percent", [0, -5, 100.5, float("nan")])
def test_percentages_out_of_range_are_refused(percent: float) -> None:
    with pytest.raises(ValueError, match=f"k is {percent:g}, must be above 0 and at most 100"):
        tokens_kept(percent, 100)


def test_the_word_all_means_every_file() -> None:
    everything: Any = OmegaConf.load(CONFIGS / "all.yaml")
    assert sorted(everything.defaults) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_random_rankings_score_the_chance_level(name: str) -> None:
    """A wrong level, or a ranking that is not random, would be many standard errors away."""
    each, target = metric(name), Target(Ranking(uneven(1, seed=1)), [NEEDLE])
    for k in (3, 12, 59) if each.at_k else (None,):
        values = each.values(random_rankings(many(name)), target, k)
        chance = each.by_chance(target, k)
        assert away_from(chance, values) < 4
        assert away_from(chance + 0.02, values) > 4
        informed = uneven(1, seed=1).expand(many(name), -1) + 0.1 * random_rankings(many(name)).scores
        if name not in ("needle_recall", "evidence_recall"):
            assert away_from(chance, each.values(Ranking(informed), target, k)) > 4


@pytest.mark.parametrize("name", NAMES)
def test_the_chance_level_holds_for_a_per_layer_oracle(name: str) -> None:
    each, oracle = metric(name), uneven(3, seed=1)
    k = 12 if each.at_k else None
    times = many(name) // 4
    values = each.values(random_rankings(3 * times), Target(Ranking(oracle.repeat(times, 1)), [NEEDLE]), k)
    assert away_from(each.by_chance(Target(Ranking(oracle), [NEEDLE]), k), values) < 4


@pytest.mark.parametrize("name", NAMES)
def test_one_value_a_layer_in_float64(name: str) -> None:
    each = metric(name)
    values = each.values(random_rankings(4), Target(Ranking(uneven(1, seed=1)), [NEEDLE]), 12 if each.at_k else None)
    assert (values.shape, values.dtype) == ((3 if name == "jaccard" else 4,), torch.float64)


def test_a_metric_compares_with_what_it_names() -> None:
    ranking, target = random_rankings(2), Target(Ranking(uneven(1, seed=1)), [NEEDLE])
    of_truth = Metric(measure=recall_at_k, chance=share_kept, at_k=True)
    of_needle = Metric(measure=needle_recall_at_k, chance=share_kept, at_k=True, against="needle")
    assert torch.equal(of_truth.values(ranking, target, 20), recall_at_k(ranking, target.truth, 20))
    assert torch.equal(of_needle.values(ranking, target, 20), needle_recall_at_k(ranking, NEEDLE, 20))


def test_a_metric_of_evidence_is_given_all_spans_and_applies_where_there_is_one() -> None:
    ranking, spans = random_rankings(2), [range(2, 9), range(20, 31)]
    of_evidence = Metric(measure=evidence_recall_at_k, chance=share_kept, at_k=True, against="evidence")
    several = Target(Ranking(uneven(1, seed=1)), spans)
    assert torch.equal(of_evidence.values(ranking, several, 20), evidence_recall_at_k(ranking, spans, 20))
    assert of_evidence.applies(several)
    assert of_evidence.applies(Target(several.truth, [NEEDLE]))
    assert not of_evidence.applies(Target(several.truth))


def test_a_needle_metric_applies_where_there_is_a_needle() -> None:
    oracle = Ranking(uneven(1, seed=1))
    of_needle = Metric(measure=needle_recall_at_k, chance=share_kept, at_k=True, against="needle")
    assert of_needle.applies(Target(oracle, [NEEDLE]))
    assert not of_needle.applies(Target(oracle))
    assert not of_needle.applies(Target(oracle, [range(2), range(5, 7)]))
    assert Metric(measure=recall_at_k, chance=share_kept, at_k=True).applies(Target(oracle))


@pytest.mark.parametrize("name", NAMES)
def test_what_holds_layers_against_each_other_is_symmetric(name: str) -> None:
    each = metric(name)
    matrix = each.values_between(random_rankings(4), 12 if each.at_k else None)
    assert (matrix is None) == (name != "jaccard")
    if matrix is not None:
        assert (matrix.shape, matrix.dtype) == ((4, 4), torch.float64)
        assert torch.equal(matrix, matrix.T)
        assert (matrix.diagonal() == 1).all()


def test_another_target_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"against is 'answer', must be one of truth, needle, evidence, itself, masks, loss$"
    ):
        Metric(measure=recall_at_k, chance=share_kept, at_k=True, against="answer")


SHARES = ("mass", "ndcg")  # of a sum, so negative importance has no meaning for them


@pytest.mark.parametrize("name", NAMES)
def test_negative_importance_is_refused_by_shares_of_a_sum_alone(name: str) -> None:
    each, target = metric(name), Target(Ranking(uneven(1, seed=1) - 0.25), [NEEDLE])
    k = 12 if each.at_k else None
    if name in SHARES:
        with pytest.raises(ValueError, match=r"importance goes down to -0\.2\d*, must be at least 0 everywhere"):
            each.values(random_rankings(4), target, k)
        nothing = Target(Ranking(torch.zeros(1, TOKENS)), [NEEDLE])
        with pytest.raises(ValueError, match="must be positive at one token at least"):
            each.values(random_rankings(4), nothing, k)
    else:
        assert each.values(random_rankings(4), target, k).isfinite().all()


def test_chance_levels_by_hand() -> None:
    oracle = Ranking(uneven(1, seed=1))
    assert share_kept(oracle, 15) == 15 / TOKENS
    assert no_association(oracle) == 0
