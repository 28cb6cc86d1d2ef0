"""estimate=true against real runs of the tiny model: rows exact, bytes within 1.5, hours within 3; and it leaves nothing."""

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.command import SMALL, Command
from tests.plans import plan
from tokenrank.evaluation.plan import Plan
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.store import NoStore, Store
from tokenrank.work import estimating
from tokenrank.work.collecting import collect
from tokenrank.work.estimating import NothingToEstimate, estimate, typical
from tokenrank.work.loading import load_model
from tokenrank.work.loop import work

GRID = ("task.lengths=[300,450,700]", "task.depths=[0,25,50,75,100]")
RANKING = ("heuristic=[claa,snapkv,tova]", "metric=[recall,spearman,needle_recall,jaccard]", "save_rankings=true")
ACCURACY = ("heuristic=[claa,gemfilter]", "prefill.keep=[20,40]")


def measured(made: Plan, folder: RunFolder) -> float:
    """Seconds of a real run."""
    model = load_model(made)
    folder.begin({}, {unit.name: unit.key for unit in made.units}, "")
    started = time.perf_counter()
    work(made, model, made.units, folder)
    seconds = time.perf_counter() - started
    collect(folder, made.evaluation)
    return seconds


def size(path: Path, pattern: str) -> int:
    return sum(file.stat().st_size for file in path.rglob(pattern) if file.is_file())


@pytest.mark.parametrize(("evaluation", "settings"), [("ranking", RANKING), ("accuracy", ACCURACY)])
def test_an_estimate_is_near_to_the_real_run(tmp_path: Path, evaluation: str, settings: tuple[str, ...]) -> None:
    made = replace(plan(*GRID, *settings, evaluation=evaluation), store=Store(tmp_path / "store"))
    found, folder = estimate(made), RunFolder(tmp_path / "run")
    assert not (tmp_path / "store").exists()
    seconds = measured(made, folder)
    assert found.rows == len(folder.tables().metrics)
    real = {
        "records": size(folder.path / "records", "*"),
        "rankings": size(folder.path, "*.safetensors"),
        "store": size(tmp_path / "store", "*"),
        "tables": sum(size(folder.path, f"{name}.parquet") for name in ("metrics", "summary", "samples", "runs")),
    }
    assert {name: round(each) for name, each in found.sizes.items() if not real[name]} == dict.fromkeys(
        (name for name, each in real.items() if not each), 0
    )
    for name, each in real.items():
        assert each / 1.5 <= found.sizes[name] <= each * 1.5, (name, found.sizes[name], each)
    assert seconds / 3 <= found.seconds <= seconds * 3
    assert found.between[0] <= found.seconds <= found.between[1]
    assert (found.prompts, found.tokens, found.longest) == (15, 5 * (300 + 450 + 700), 700)


def test_rows_follow_the_prompts_that_have_a_needle_and_those_that_have_none(tmp_path: Path) -> None:
    made = replace(plan("task.lengths=[300,340]", *RANKING), store=NoStore())
    units = [
        unit if unit.number % 2 else replace(unit, prompt=replace(unit.prompt, evidence=())) for unit in made.units
    ]
    mixed, folder = replace(made, units=tuple(units)), RunFolder(tmp_path / "run")
    found = estimate(mixed)
    assert {each.unit.prompt.needle is None for each in found.tried} == {True, False}
    measured(mixed, folder)
    assert found.rows == len(folder.tables().metrics)
    assert found.sizes["store"] == 0


def test_the_two_prompts_are_a_standard_deviation_below_and_above_the_mean() -> None:
    units = plan("task.lengths=[300,400,500,600,1000]", "task.depths=[0]").units  # mean 560, deviation 242
    assert [len(unit.prompt.input_ids) for unit in typical(units)] == [300, 1000]
    assert [len(unit.prompt.input_ids) for unit in typical(units[:4])] == [300, 600]  # 450 -+ 112: 338, 562
    assert len({unit.name for unit in typical(units[:2] * 2)}) == 2
    assert [unit.name for unit in typical(units[:1])] == [units[0].name]


def test_a_quadratic_cost_is_estimated_exactly_from_these_two() -> None:
    made = plan("task.lengths=[300,700]", "task.depths=[0,50,100]")
    lengths = [len(unit.prompt.input_ids) for unit in made.units]
    two = [len(unit.prompt.input_ids) for unit in typical(made.units)]
    cost = {tokens: 3 + 0.1 * tokens + 0.002 * tokens**2 for tokens in (*lengths, *two)}
    assert sum(cost[each] for each in two) / 2 == pytest.approx(sum(cost[each] for each in lengths) / len(lengths))


def test_a_prompt_that_fails_gives_no_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("it broke")

    monkeypatch.setattr("tokenrank.evaluation.ranking.stored_rank", broken)
    with pytest.raises(
        NothingToEstimate, match=r"^nothing can be estimated: prompt niah_300_0_0 failed: RuntimeError: it broke$"
    ):
        estimate(plan())


def test_the_command_says_what_a_run_would_take_and_leaves_nothing(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (*SMALL, "heuristic=claa", f"store={tmp_path / 'store'}", "estimate=true")
    ended = tokenrank(*given)
    assert ended.code == 0, ended.err
    first, *others = ended.out.splitlines()
    assert first.startswith("estimate for 2 prompts, 600 tokens, from niah_300_0_0 (300 tokens, ")
    assert [line.split()[0] for line in others] == ["time", "disk", "rows", "memory", "growth"]
    assert re.search(r"rows +\d+ of metrics.parquet", ended.out)
    assert "processes share them" not in ended.out
    assert not (tmp_path / "run").exists()
    assert size(tmp_path / "store", "*") == 0
    shared = tokenrank(*given, "executor.processes=2")
    assert "if 2 processes share them and do not slow each other" in shared.out

    monkeypatch.setattr(estimating, "estimate", fails)
    ended = tokenrank(*given)
    assert ended.code == 1
    assert ended.err.splitlines()[-1] == "error: nothing"


def fails(_plan: Plan) -> None:
    raise NothingToEstimate("nothing")


def test_a_shard_without_prompts_is_one_sentence(tokenrank: Command) -> None:
    ended = tokenrank(*SMALL, "estimate=true", "shard=3/3")
    assert ended.code == 1
    assert ended.err.splitlines()[-1] == "error: nothing can be estimated: shard=3/3 has none of the 2 prompts"
