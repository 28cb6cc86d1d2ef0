"""Tables of fidelity, by hand: several engines, each with a bound and a control of its own, and measures of which less is better."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.plans import tables
from tokenrank.evaluation.accuracy_tables import accuracy_summary, costs
from tokenrank.evaluation.family import Family
from tokenrank.metrics.comparisons import compare_means
from tokenrank.metrics.intervals import mean_intervals
from tokenrank.records.measures import BY_DEFINITION, FIDELITY, LABELS, LOWER_IS_BETTER, RESULTS, UNBOUNDED
from tokenrank.records.schema import METRICS, SUMMARY, table

KEEP = [20.0]
PROMPTS = 8
SPREAD = [0.2 * (place - (PROMPTS - 1) / 2) / PROMPTS for place in range(PROMPTS)]  # of mean 0
# of each contestant its engine, and its mean loss; claa beats its own bound
LOSS = {
    "full": ("full", 0.0), "claa": ("layerwise@claa", 0.1), "tova": ("layerwise", 0.5), "gemfilter": ("restart@gemfilter", 0.9),
    "oracle": ("layerwise", 0.4), "random": ("layerwise", 0.8), "oracle@claa": ("layerwise@claa", 0.3), "random@claa": ("layerwise@claa", 0.7),
    "oracle@gemfilter": ("restart@gemfilter", 0.6),
}  # fmt: skip


def whose(name: str, sample: int, keep: float = 20.0) -> dict[str, Any]:
    return {
        "model": "m", "task": "t", "sample": f"s{sample}", "engine": LOSS[name][0], "heuristic": None if name == "full" else name,
        "keep": 100.0 if name == "full" else keep,
    }  # fmt: skip


def loss_of(name: str, sample: int) -> float:
    """The loss of a prompt; contestants vary by prompt in different ways, the full prefill not at all."""
    place = list(LOSS).index(name)
    return LOSS[name][1] + (SPREAD[(sample * (2 * place + 1)) % PROMPTS] if place else 0.0)


def measured(*metrics: str) -> pd.DataFrame:
    """``loss`` as above, ``accuracy`` and ``same_token`` 1 - loss, all others 0.5 * loss."""
    rows = [
        whose(name, sample)
        | {
            "metric": metric,
            "value": 1 - loss if metric in ("accuracy", "same_token") else loss if metric == "loss" else loss / 2,
        }
        for sample in range(PROMPTS)
        for name in LOSS
        for metric in metrics or ("loss", "accuracy")
        for loss in [loss_of(name, sample)]
    ]
    return table(rows, METRICS)


def summary(rows: pd.DataFrame, main: str = "loss", **family: Any) -> pd.DataFrame:
    found = accuracy_summary(rows, KEEP, 0, 300, Family(**family), main)
    assert dict(found.dtypes) == dict(table([], SUMMARY).dtypes)
    assert not found.duplicated([name for name in SUMMARY if name not in ("value", "low", "high", "p")]).any()
    return found


def pairs(found: pd.DataFrame, metric: str = "loss") -> pd.DataFrame:
    own = found[found["against"].notna() & (found["metric"] == metric)]
    return own.set_index(pd.MultiIndex.from_arrays([own["heuristic"].fillna(own["engine"]), own["against"]]))


def ends(rows: pd.DataFrame, which: Any) -> list[float]:
    """The interval in one row."""
    return [float(rows[end][which]) for end in ("low", "high")]


def test_the_gap_is_that_of_the_own_engine_whichever_direction_is_better() -> None:
    found = summary(measured("loss", "accuracy", "reference_kl"))
    gaps = found[found["statistic"] == "gap_closed"].set_index(["metric", "heuristic"])
    for metric in ("loss", "accuracy", "reference_kl"):
        shares = gaps["value"].xs(metric).to_dict()
        assert shares == pytest.approx({
            "claa": (0.7 - 0.1) / (0.7 - 0.3), "oracle@claa": 1, "random@claa": 0,
            "tova": (0.8 - 0.5) / (0.8 - 0.4), "oracle": 1, "random": 0,
        })  # fmt: skip
    assert (gaps["low"] <= gaps["value"] + 1e-12).all()
    assert gaps.loc[("loss", "claa"), "engine"] == "layerwise@claa"
    one, other = (gaps.loc[(metric, "tova"), ["low", "high"]].to_numpy(dtype=float) for metric in ("loss", "accuracy"))
    np.testing.assert_allclose(one, other)


def test_every_contestant_is_held_against_its_own_bound_and_its_own_control() -> None:
    found = pairs(summary(measured()))
    exploratory = found[found["exploratory"].astype(bool)]
    assert set(exploratory.index) == {
        ("claa", "oracle@claa"), ("tova", "oracle"), ("gemfilter", "oracle@gemfilter"),
        ("claa", "random@claa"), ("oracle@claa", "random@claa"), ("tova", "random"), ("oracle", "random"),
    }  # fmt: skip
    bounds = [("claa", "oracle@claa"), ("tova", "oracle"), ("gemfilter", "oracle@gemfilter")]
    losses = {name: np.array([loss_of(name, sample) for sample in range(PROMPTS)]) for name in LOSS}
    wanted = compare_means(np.stack([losses[a] - losses[b] for a, b in bounds], axis=1), 0, 300)
    for place, pair in enumerate(bounds):  # p of the three of them together, whatever else is compared
        row = found[["value", "low", "high", "p"]][found.index == pair]
        np.testing.assert_allclose(
            row.to_numpy(dtype=float)[0],
            [wanted.difference[place], wanted.low[place], wanted.high[place], wanted.p[place]],
        )
    assert found["high"][("claa", "oracle@claa")] < 0  # it loses less than its bound, beyond noise
    assert found["low"][("tova", "oracle")] > 0


def test_methods_of_all_engines_are_compared_and_bounds_and_controls_are_no_methods() -> None:
    found = pairs(summary(measured()))
    declared = found[~found["exploratory"].astype(bool)]
    assert list(declared.index) == [("claa", "tova"), ("claa", "gemfilter"), ("tova", "gemfilter")]


@pytest.mark.parametrize(
    "family", [{"controls": True}, {"against": "oracle@claa"}, {"against": "random", "controls": True}]
)
def test_a_pair_is_there_once_if_the_family_has_it_already(family: dict[str, Any]) -> None:
    found = pairs(summary(measured(), **family))
    assert len({frozenset(pair) for pair in found.index}) == len(found)
    assert ("claa", "oracle@claa") in set(found.index)
    assert ("claa", "random@claa") in set(found.index)
    assert not found.loc[("claa", family.get("against", "oracle@claa")), "exploratory"]


def test_without_bound_and_control_there_are_no_such_rows() -> None:
    rows = measured()
    found = summary(rows[~rows["heuristic"].fillna("").str.startswith(("oracle", "random"))])
    assert set(pairs(found).index) == {("claa", "tova"), ("claa", "gemfilter"), ("tova", "gemfilter")}
    assert "gap_closed" not in set(found["statistic"])


def test_of_several_tasks_each_has_its_own_comparisons_and_gap() -> None:
    rows = measured()
    other = rows.assign(task="u", sample=rows["sample"] + "u", value=rows["value"] * 2)
    found = summary(pd.concat([rows, other], ignore_index=True))
    alone = {"t": summary(rows), "u": summary(other)}
    for task, wanted in alone.items():
        own = found[found["task"] == task].drop(columns=["task", "exploratory"])
        is_mean = own["against"].isna() & (own["statistic"] == "mean")
        said = wanted.drop(columns=["task", "exploratory"])
        for part, of in ((own[~is_mean], said[said["against"].notna() | (said["statistic"] == "gap_closed")]),):
            pd.testing.assert_frame_equal(
                part.sort_values(list(part.columns[:14]), ignore_index=True),
                of.sort_values(list(of.columns[:14]), ignore_index=True),
            )
        compared = found[(found["task"] == task) & found["against"].notna()]
        assert compared["exploratory"].all()
    over_all = found[found["task"].isna() & found["against"].notna()]
    assert set(over_all["prompts"]) == {2 * PROMPTS}
    assert not over_all.loc[over_all["metric"] == "loss", "exploratory"].all()
    assert alone["t"]["task"].isna().all()


@pytest.mark.parametrize(
    ("settings", "metrics"), [({}, {"loss", "kl"}), ({"metric": "logprob"}, {"loss", "kl", "logprob"})]
)
def test_within_tasks_only_the_main_measures_are_compared(settings: dict[str, Any], metrics: set[str]) -> None:
    rows = measured("loss", "kl", "logprob", "flops")
    rows["task"] = rows["sample"].map(lambda sample: f"t{int(sample[1:]) % 2}")
    found = summary(rows, **settings)
    assert set(found.loc[found["task"].notna() & found["against"].notna(), "metric"]) == metrics
    assert set(found.loc[found["task"].isna() & found["against"].notna(), "metric"]) == {"loss", "kl", "logprob"}
    assert set(found.loc[found["task"].notna() & (found["statistic"] == "gap_closed"), "metric"]) == {
        "loss",
        "kl",
        "logprob",
    }


def test_the_declared_metric_is_the_evaluations_or_the_one_that_is_set() -> None:
    def declared(**settings: Any) -> set[str]:
        found = summary(measured("loss", "accuracy", "kl", "flops"), **settings)
        return set(found.loc[found["exploratory"].fillna(True).eq(False), "metric"])

    assert declared() == {"loss"}
    assert declared(main="accuracy") == {"accuracy"}
    assert declared(main="accuracy", metric="kl") == {"kl"}


def test_costs_and_the_needle_have_means_and_no_comparison() -> None:
    found = summary(measured("flops", "kv_ratio", "needle_kept"))
    assert found["against"].isna().all()
    assert set(found["statistic"]) == {"mean"}
    needle = found[(found["metric"] == "needle_kept") & (found["heuristic"] == "claa")]
    assert needle["value"].item() == pytest.approx(0.05)
    assert needle[["low", "high"]].notna().all(axis=None)


def test_prompts_without_reference_lack_its_measures_only() -> None:
    rows = measured("loss", "reference_loss", "accuracy")
    lacks = rows["metric"].str.startswith("reference_") & rows["sample"].isin(["s0", "s1"])
    partly = (rows["metric"] == "accuracy") & (rows["sample"] == "s2") & (rows["heuristic"] == "claa")
    found = summary(rows[~lacks & ~partly])
    assert found.groupby("metric")["prompts"].agg(set).to_dict() == {
        "loss": {PROMPTS}, "reference_loss": {PROMPTS - 2}, "accuracy": {PROMPTS - 1},
    }  # fmt: skip


def test_a_prompt_where_one_failed_counts_for_none() -> None:
    rows = measured("loss", "flops")
    found = summary(rows[~((rows["heuristic"] == "gemfilter") & (rows["sample"] == "s3"))])
    assert set(found["prompts"]) == {PROMPTS - 1}


def test_a_loss_that_happens_to_lie_below_1_is_not_taken_for_a_share() -> None:
    found = summary(measured("loss", "same_token"))
    means = found[found["against"].isna() & (found["statistic"] == "mean")].set_index(["metric", "heuristic"])
    losses = np.array([[loss_of("claa", sample)] for sample in range(PROMPTS)])
    wanted = mean_intervals(losses + 5) - 5  # the same values where no share can be
    as_share = mean_intervals(losses)
    assert ends(means, ("loss", "claa")) == pytest.approx(wanted.ravel().tolist())
    assert wanted.ravel().tolist() != pytest.approx(as_share.ravel().tolist())
    shares = mean_intervals(1 - losses).ravel().tolist()
    assert ends(means, ("same_token", "claa")) == pytest.approx(shares)


def test_what_the_full_prefill_has_by_definition_has_no_interval() -> None:
    found = summary(measured("loss", "kl", "same_token", "kv_ratio", "logprob"))
    full = found[found["engine"] == "full"].set_index("metric")
    assert full["keep"].eq(100).all()
    assert full.loc[["loss", "kl", "same_token", "kv_ratio"], ["low", "high"]].isna().all(axis=None)
    assert ends(full, "logprob") == [0, 0]  # measured, and equal in all prompts here


def test_every_metric_that_a_run_has_is_a_row() -> None:
    run = {
        "engine": "layerwise",
        "heuristic": "claa",
        "keep": 20.0,
        "flops": 50,
        "kv_bytes": 10,
        "prefill_seconds": 1.0,
    }
    run |= {"accuracy": None, "needle_kept": 0.5} | {name: float(place) for place, name in enumerate(FIDELITY)}
    found = {row["metric"]: row["value"] for row in costs(run, {"flops": 200, "kv_bytes": None})}
    assert found == {
        "needle_kept": 0.5, "flops": 50, "flops_ratio": 0.25, "kv_bytes": 10, **{name: place for place, name in enumerate(FIDELITY)},
    }  # fmt: skip


def test_evaluation_fidelity_has_no_accuracy_but_that_of_the_sample() -> None:
    found = tables("heuristic=[tova]", "prefill.keep=[50]", evaluation="fidelity")
    assert set(found.metrics["metric"]) == {*FIDELITY, "needle_kept", "flops", "flops_ratio", "kv_bytes", "kv_ratio"}
    assert found.samples["accuracy"].notna().all()
    assert set(found.summary.loc[found.summary["statistic"] == "gap_closed", "metric"]) == set(FIDELITY)


def test_the_names_of_measures_agree() -> None:
    assert len(RESULTS) == len(set(RESULTS)) == 13
    assert set(FIDELITY) >= LOWER_IS_BETTER
    assert {"loss", "loss_clipped", "kl", "reference_loss", "reference_loss_clipped", "reference_kl"} == LOWER_IS_BETTER
    assert set(FIDELITY) - UNBOUNDED == {"same_token", "reference_same_token"}
    assert set(RESULTS) | (set(BY_DEFINITION) - set(RESULTS)) == set(LABELS)
