"""Which pairs are compared, which comparison was declared, and settings that name nothing."""

import pytest

from tests.plans import composed
from tokenrank.evaluation.family import Family
from tokenrank.evaluation.ranking import RankingAgreement
from tokenrank.planning.settings import run_settings

NAMES = ["full", "oracle", "claa", "tova", "snapkv", "random"]


def named(family: Family) -> set[tuple[str, str]]:
    return {(NAMES[a], NAMES[b]) for a, b in family.pairs(NAMES)}


def test_every_two_methods_are_compared_and_controls_only_if_asked() -> None:
    assert named(Family()) == {("claa", "tova"), ("claa", "snapkv"), ("tova", "snapkv")}
    assert len(Family(controls=True).pairs(NAMES)) == 15


def test_all_others_are_compared_with_one_that_may_be_a_control() -> None:
    assert named(Family(against="tova")) == {("claa", "tova"), ("snapkv", "tova")}
    assert named(Family(against="random")) == {("claa", "random"), ("tova", "random"), ("snapkv", "random")}
    assert named(Family(against="tova", controls=True)) == {(each, "tova") for each in NAMES if each != "tova"}
    assert Family(against="gone").pairs(NAMES) == []


def test_the_declared_comparison_is_the_mean_of_one_metric_at_one_k() -> None:
    def declared(**settings: object) -> set[tuple[str, float | None, str]]:
        evaluation = RankingAgreement(k=[5.0, 10.0], compare=settings)
        groups = [
            {"metric": metric, "k": k, "statistic": statistic, "windowed": windowed}
            for metric, ks in (("recall", [5.0, 10.0]), ("spearman", [None]))
            for k in ks
            for statistic in ("mean", "worst", "std")
            for windowed in (False, True)
        ]
        found = [group for group in groups if evaluation.summary().comparing.declared(group)]
        assert not [group for group in found if group["windowed"]]
        return {(str(group["metric"]), group["k"], str(group["statistic"])) for group in found}  # type: ignore[misc]

    assert declared() == {("recall", 10.0, "mean")}
    assert declared(k=5.0) == {("recall", 5.0, "mean")}
    assert declared(metric="spearman") == {("spearman", None, "mean")}


def test_the_usual_k_is_10_percent_if_the_run_has_it() -> None:
    assert [Family().main_k(ks) for ks in ([5.0, 10.0], [5.0, 20.0])] == [10.0, 5.0]
    assert Family(k=20.0).main_k([10.0, 20.0]) == 20


@pytest.mark.parametrize(
    ("family", "said"),
    [
        (Family(against="clas"), r"compare\.against is 'clas', must be all or one of claa, tova$"),
        (Family(metric="recal"), r"compare\.metric is 'recal', must be null or one of recall, ndcg$"),
        (Family(k=15.0), r"compare\.k is 15, must be null or one of k=\[5, 10\]$"),
    ],
)
def test_a_name_that_the_run_does_not_have_is_refused(family: Family, said: str) -> None:
    Family("claa", "ndcg", 10.0).check(["claa", "tova"], ["recall", "ndcg"], [5, 10])
    with pytest.raises(ValueError, match=said):
        family.check(["claa", "tova"], ["recall", "ndcg"], [5, 10])


def test_contestants_have_no_k_to_compare_at() -> None:
    with pytest.raises(ValueError, match=r"compare\.k is 10, must be null, as only evaluation=ranking has a k$"):
        Family(k=10.0).check(["claa"], ["accuracy"])


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("compare.against=null", r"compare\.against is None, must be of type str$"),
        ("compare.controls=1", r"compare\.controls is 1, must be of type bool$"),
        ("+compare.alpha=0.1", r"compare\.alpha is not a setting; there are against, controls, k, metric$"),
    ],
)
def test_settings_of_another_type_or_name_are_refused(setting: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        run_settings(composed(setting))
