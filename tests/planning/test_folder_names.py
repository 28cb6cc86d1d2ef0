"""Run folders are named by what is run and a hash of its settings; sweeps by what they vary."""

import pytest
from omegaconf import OmegaConf

from tests.plans import composed, config
from tokenrank.planning.folder_names import OPERATIONAL, run_name, settings_of, sweep_name


def name(*overrides: str, evaluation: str = "ranking") -> str:
    return run_name(settings_of(config(*overrides, evaluation=evaluation)))


def test_a_name_says_evaluation_heuristics_model_and_task() -> None:
    assert name("heuristic=[claa,tova]").rpartition("_")[0] == "ranking_claa+tova_tiny_niah"
    assert name("heuristic=all").rpartition("_")[0] == "ranking_14-heuristics_tiny_niah"
    assert name(evaluation="ttft").rpartition("_")[0] == "ttft_claa+fastkv+gemfilter_tiny_random_tokens"
    assert name("model.path=/some/where/Qwen3-4B/").split("_")[2] == "Qwen3-4B"
    assert name("model.name='mine: ü'").split("_")[2] == "mine-ü"


def test_the_hash_follows_every_setting_that_changes_a_table() -> None:
    given = [(), ("seed=1",), ("heuristic.claa.n=2",), ("task.lengths=[301]",), ("k=[10]",), ("texts=false",)]
    assert len({name(*each) for each in given}) == len(given)


@pytest.mark.parametrize(
    "setting",
    ["store=/x", "store_rankings=false", "executor.processes=2", "shard=1/2", "threads=2", "overwrite=true", "plots.k=5",
     "estimate=true", "logger=wandb"],
)  # fmt: skip
def test_how_a_run_is_carried_out_does_not_change_its_name(setting: str) -> None:
    assert name(setting) == name()
    assert setting.split("=")[0].split(".")[0] in OPERATIONAL


def test_a_reference_to_another_setting_counts_by_its_value() -> None:
    assert settings_of(composed("model=tiny", "seed=7"))["task"]["seed"] == 7


def test_the_same_settings_in_another_order_have_the_same_name() -> None:
    one, other = ({"b": 1, "a": {"y": 2, "x": 3}}, {"a": {"x": 3, "y": 2}, "b": 1})
    common = settings_of(config())
    assert run_name(common | one) == run_name(common | other)


def test_a_sweep_is_named_by_what_it_varies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["run.py", "-m", "model=tiny", "heuristic.claa.n=1,2", "seed=0,1"])
    config = OmegaConf.create({"swept": "${swept:}"})
    assert config.swept == "heuristic.claa.n,seed"
    first = sweep_name(config.swept)
    assert first.rpartition("_")[0] == "sweep_claa.n+seed"
    monkeypatch.setattr("sys.argv", ["run.py", "seed=0,1", "-m", "heuristic.claa.n=1,2", "model=tiny"])
    assert sweep_name("heuristic.claa.n,seed") == first
    monkeypatch.setattr("sys.argv", ["run.py", "-m", "model=tiny", "heuristic.claa.n=1,2", "seed=0,2"])
    assert sweep_name("heuristic.claa.n,seed") != first


@pytest.mark.parametrize("more", ["overwrite=true", "shard=2/3", "executor=ray", "plots.k=5", "hydra/launcher=slurm"])
def test_a_sweep_goes_on_in_its_folder_however_it_is_carried_out(monkeypatch: pytest.MonkeyPatch, more: str) -> None:
    command = ["run.py", "-m", "model=tiny", "heuristic.claa.n=1,2"]
    monkeypatch.setattr("sys.argv", command)
    first = sweep_name("heuristic.claa.n")
    monkeypatch.setattr("sys.argv", [*command, more])
    assert sweep_name("heuristic.claa.n") == first
    assert sweep_name("heuristic.claa.n,shard") == first


def test_a_job_in_another_process_has_the_sweeps_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["run.py", "-m", "heuristic.claa.n=1,2"])
    sweep, job = (OmegaConf.create({"dir": "${sweep_name:${swept:}}"}) for _ in range(2))
    folder = sweep.dir
    monkeypatch.setattr("sys.argv", ["submitit", "results/.submitit/1"])  # of a job
    OmegaConf.copy_cache(sweep, job)  # Hydra does
    assert job.dir == folder


def test_a_list_is_no_sweep_and_a_sweep_over_shards_has_no_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["run.py", "-m", "heuristic=[claa,tova]", "shard=1/2,2/2", "--config-dir", "a=b,c"])
    assert OmegaConf.create({"swept": "${swept:}"}).swept in ("shard", "shard,a")
    assert sweep_name("shard") == "."


def test_the_order_of_truths_decides_the_folder() -> None:
    """The first drives the ranking called oracle, and comparisons are declared against it."""
    one, other = (name(f"oracle=[{names}]") for names in ("attention,gradient", "gradient,attention"))
    assert one != other
    assert one == name("oracle=[attention,gradient]")
