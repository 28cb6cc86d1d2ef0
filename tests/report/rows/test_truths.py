"""Agreement of rankings and truths as rows of a run say it; loaded tables are against one truth, and agreement is of all."""

from dataclasses import replace

import pytest

from tests.plans import config, records, written
from tests.plans import plan as plan_of
from tests.report.ranking_examples import at_layer, of_prompts, ranked
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.tables import Tables
from tokenrank.report.pictures.agreement import agreement_pictures
from tokenrank.report.rows.loading import load, shown_truth
from tokenrank.report.rows.truths import agreement
from tokenrank.work.collecting import collect

TRUTHS = "oracle=[attention,gradient]"
CHOSEN = (TRUTHS, "heuristic=[claa,oracle]", "metric=[recall,needle_recall]", "task.depths=[0]", "agreement=true")


def made_up() -> Tables:
    rows = [
        ("claa", "one", 0.5), ("oracle", "one", 1.0), ("oracle:two", "one", 0.3),
        ("claa", "two", 0.6), ("oracle", "two", 0.2), ("oracle:two", "two", 1.0),
    ]  # fmt: skip
    return ranked(summary=[of_prompts(name, "recall", "mean", 10.0, value, truth=truth) for name, truth, value in rows])


def test_a_row_a_ranking_and_a_column_a_truth() -> None:
    found = agreement(made_up(), "recall", 10)
    assert found is not None
    assert found.values.to_dict("index") == {
        "one": {"one": 1.0, "two": 0.2}, "two": {"one": 0.3, "two": 1.0}, "claa": {"one": 0.5, "two": 0.6},
    }  # fmt: skip
    assert list(found.values.index) == ["one", "two", "claa"]


def test_one_truth_or_none_agrees_with_nothing() -> None:
    assert agreement(made_up(), "spearman", 10) is None
    alone = ranked(summary=[of_prompts("claa", "recall", "mean", 10.0, 0.5, truth="one")])
    assert agreement(alone, "recall", 10) is None
    assert agreement_pictures(alone, ["recall"], 10) == {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    made = plan_of(*CHOSEN)
    found = written(tmp_path_factory.mktemp("truths"), records(made))
    collect(found, made.evaluation)
    return found


def test_a_run_is_loaded_against_its_first_truth_or_the_one_asked_for(folder: RunFolder) -> None:
    whole = folder.tables()
    settings = {"oracle": {"attention": {}, "gradient": {}}, "plots": {"k": 10, "truth": None}}
    for truth, wanted in ((None, "attention"), ("gradient", "gradient")):
        settings["plots"] = {"k": 10, "truth": truth}
        assert shown_truth(settings) == wanted
        tables, _ = load(folder, settings, None)
        assert set(tables.summary["truth"].dropna()) == set(tables.metrics["truth"].dropna()) == {wanted}
        own = whole.metrics[
            (whole.metrics["truth"] == wanted) & (whole.metrics["metric"] == "recall") & (whole.metrics["k"] == 10)
        ]
        assert tables.of_metric("recall", 10)["value"].tolist() == own["value"].tolist()
        assert len(tables.of_metric("needle_recall", 10)) > 0  # belongs to no truth
        found = agreement(tables, "recall", 10)
        assert found is not None
        assert found.values.shape == (3, 3)  # two truths and claa, each against each
        assert [found.values.to_dict()[name][name] for name in map(str, found.values)] == [1, 1, 1]
        assert list(agreement_pictures(tables, ["recall", "needle_recall"], 10)) == ["recall_at_10_agreement"]


def test_rankings_are_measured_against_each_other_as_against_truths(folder: RunFolder) -> None:
    """The recall of the truth's best tokens in claa's, and of claa's in the truth's, is the same where as many are kept."""
    rows = folder.tables().metrics.query("metric == 'recall' and k == 10").dropna(subset=["heuristic"])
    values = rows.set_index(["heuristic", "truth", "layer"])["value"]
    for layer in range(4):
        assert values["claa", "claa", layer] == 1
        assert values["claa", "attention", layer] == values["oracle", "claa", layer]
        assert values["claa", "gradient", layer] == values["oracle:gradient", "claa", layer]


def test_the_config_names_the_setting() -> None:
    assert config(*CHOSEN).evaluation.agreement


def test_every_cell_has_its_own_number_of_prompts() -> None:
    tables = made_up()
    counts = [24, 24, 24, 20, 24, 24]
    found = agreement(replace(tables, summary=tables.summary.assign(prompts=counts)), "recall", 10)
    assert found is not None
    assert found.prompts.loc[["claa"]].to_numpy().tolist() == [[24, 20]]
    assert found.prompts.loc[["one", "two"]].to_numpy().tolist() == [[24, 24], [24, 24]]


def test_the_picture_counts_the_prompts_of_its_values_and_names_no_single_truth() -> None:
    metrics = [at_layer(f"p{number}", "claa", 0, "recall", 10.0, 0.5) for number in range(30)]  # some lack a value
    whole = ranked(metrics, summary=[]).metrics
    for counts, said in (
        ([24] * 6, ""),
        ([24, 24, 24, 20, 24, 24], " Some cells are over fewer prompts, 20 at least."),
    ):
        tables = replace(made_up(), metrics=whole)
        tables = replace(tables, summary=tables.summary.assign(prompts=counts))
        [draw] = agreement_pictures(tables, ["recall"], 10).values()
        figure = draw()
        assert figure.get_suptitle().replace("\n", " ").endswith("tiny on niah, n = 24 of 30 prompts, k = 10 %")
        assert figure.get_supxlabel().replace("\n", " ") == f"Mean over layers, then over prompts.{said}"
