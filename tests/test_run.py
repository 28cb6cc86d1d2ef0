"""The command as a user types it: what it writes, what it repeats, what it refuses, and how it is extended."""

import json
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf
from safetensors.torch import load_file
from transformers import PreTrainedModel

from tests.command import Command, Ended
from tokenrank.models.tiny import byte_tokenizer

ROOT = Path(__file__).parent.parent
SMALL = (
    "model=tiny",
    "task.lengths=[300]",
    "task.depths=[0,50]",
    "task.max_new_tokens=4",
    "metric=[recall]",
    "k=[5,10]",
)


def prompts_file(folder: Path, *lines: str) -> str:
    (folder / "prompts.jsonl").write_text("\n".join(lines) + "\n")
    return f"task.path={folder / 'prompts.jsonl'}"


def test_a_run_folder_holds_what_its_readme_says(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank(*SMALL, "heuristic=[claa,oracle]", "save_rankings=true")
    assert ended.code == 0, ended.err
    run = tmp_path / "run"
    names = {str(file.relative_to(run)) for file in run.rglob("*") if file.is_file()}
    rankings = {f"rankings/niah_300_{depth}_0.safetensors" for depth in (0, 50)}
    drawn = ("recall_at_10_layers", "recall_at_10_heatmap", "recall_at_10_spread", "grid_score")
    plots = {f"plots/{name}.{end}" for name in drawn for end in ("png", "pdf")}
    assert names == {"config.yaml", "environment.json", "metrics.parquet", "samples.parquet"} | rankings | plots
    assert "claa" in ended.out
    assert str(run / "plots") in ended.out


def test_the_metrics_table_is_in_long_form(tokenrank: Command, tmp_path: Path) -> None:
    tokenrank(*SMALL, "heuristic=[claa,oracle]")
    table = pd.read_parquet(tmp_path / "run" / "metrics.parquet")
    columns = ["model", "task", "sample", "heuristic", "layer", "metric", "k", "value", "windowed", "other_layer"]
    assert list(table) == columns
    per_layer = table[table["metric"] == "recall"].dropna(subset=["layer"])
    assert len(per_layer) == 2 * 2 * 4 * 2  # prompts, heuristics, layers, k
    assert (per_layer.loc[per_layer["heuristic"] == "oracle", "value"] == 1).all()
    summaries = table[table["metric"].str.startswith("recall.") & table["sample"].notna()]
    assert summaries["layer"].isna().all()
    assert (per_layer["windowed"] == False).all()  # noqa: E712
    assert summaries["windowed"].isna().all()
    assert set(summaries["metric"]) == {
        f"recall.{name}" for name in ("mean", "std", "worst", "worst_layer", "worst_drop", "neighbour_drop")
    }


def test_the_samples_table_and_the_environment_say_what_ran(tokenrank: Command, tmp_path: Path) -> None:
    tokenrank(*SMALL)
    samples = pd.read_parquet(tmp_path / "run" / "samples.parquet")
    assert list(samples["id"]) == ["niah_300_0_0", "niah_300_50_0"]
    assert (samples["tokens"] == 300).all()
    assert list(samples["depth"]) == [0, 50]
    assert (samples["status"] == "ok").all()
    assert samples["error"].isna().all()
    assert (samples[["prefill_seconds", "oracle_seconds", "metrics_seconds"]] > 0).all(axis=None)
    found = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert found["device"] == "cpu"
    assert found["seed"] == 0
    assert found["packages"]["torch"]
    assert OmegaConf.load(tmp_path / "run" / "config.yaml").heuristic.claa.n == 4


def test_saved_rankings_hold_ids_oracle_and_one_row_a_layer(tokenrank: Command, tmp_path: Path) -> None:
    tokenrank(*SMALL, "heuristic=[claa,oracle]", "save_rankings=true")
    saved = load_file(tmp_path / "run" / "rankings" / "niah_300_50_0.safetensors")
    assert set(saved) == {"input_ids", "answer_ids", "oracle", "heuristic.claa", "heuristic.oracle"}
    assert saved["oracle"].shape == (300,)
    assert saved["heuristic.claa"].shape == (4, 300)
    assert str(saved["heuristic.claa"].dtype) == "torch.float32"
    assert 1 <= len(saved["answer_ids"]) <= 4


def test_the_same_config_and_seed_give_the_same_bytes(tokenrank: Command, tmp_path: Path) -> None:
    tables = []
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        tokenrank(*SMALL, "heuristic=all", f"seed={seed}", f"hydra.run.dir={tmp_path / folder}")
        tables.append((tmp_path / folder / "metrics.parquet").read_bytes())
    assert tables[0] == tables[1]
    assert tables[0] != tables[2]


def test_a_method_scores_the_same_alone_and_beside_others(tokenrank: Command, tmp_path: Path) -> None:
    tokenrank(*SMALL, "heuristic=gemfilter", f"hydra.run.dir={tmp_path / 'alone'}")
    tokenrank(*SMALL, "heuristic=all", f"hydra.run.dir={tmp_path / 'all'}")
    alone, together = (pd.read_parquet(tmp_path / folder / "metrics.parquet") for folder in ("alone", "all"))
    wanted, found = (each[each["heuristic"] == "gemfilter"].reset_index(drop=True) for each in (alone, together))
    pd.testing.assert_frame_equal(found, wanted)
    names = {file.stem for file in (ROOT / "configs" / "heuristic").glob("*.yaml")}
    assert set(together.dropna(subset=["sample"])["heuristic"].dropna()) == names - {"kvpress"}


def test_a_sweep_makes_a_folder_a_run(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank("-m", *SMALL, "heuristic=claa,gemfilter", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert ended.code == 0, ended.err
    tables = [pd.read_parquet(file) for file in sorted((tmp_path / "sweep").glob("*/metrics.parquet"))]
    assert [set(table["heuristic"].dropna()) for table in tables] == [{"claa"}, {"gemfilter"}]


def test_a_failing_run_does_not_stop_a_sweep(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank("-m", *SMALL, "universe.window=999,8", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert ended.code == 2
    assert "universe.window=999" in ended.err.splitlines()[0]
    assert len(list((tmp_path / "sweep").glob("1_*/metrics.parquet"))) == 1


def test_a_second_run_in_a_folder_replaces_the_first_and_nothing_else(tokenrank: Command, tmp_path: Path) -> None:
    tokenrank(*SMALL, "save_rankings=true")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    tokenrank(*SMALL, "task.depths=[100]")
    assert not list((tmp_path / "run" / "rankings").glob("*.safetensors"))
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
    assert list(pd.read_parquet(tmp_path / "run" / "samples.parquet")["id"]) == ["niah_300_100_0"]


def test_a_folder_that_is_no_run_keeps_what_looks_like_one(tokenrank: Command, tmp_path: Path) -> None:
    (tmp_path / "run" / "plots").mkdir(parents=True)
    (tmp_path / "run" / "plots" / "mine.png").write_text("mine")
    assert tokenrank(*SMALL).code == 0
    assert (tmp_path / "run" / "plots" / "mine.png").read_text() == "mine"


def test_records_name_a_model_by_its_path(tokenrank: Command, tmp_path: Path, tiny_model: PreTrainedModel) -> None:
    tiny_model.save_pretrained(tmp_path / "some-model")
    byte_tokenizer().save_pretrained(tmp_path / "some-model")
    ended = tokenrank("model=smollm2", f"model.path={tmp_path / 'some-model'}", *SMALL[1:])
    assert ended.code == 0, ended.err
    assert set(pd.read_parquet(tmp_path / "run" / "metrics.parquet")["model"]) == {"some-model"}


def test_the_reference_answer_can_be_fed_instead_of_generated(tokenrank: Command, tmp_path: Path) -> None:
    line = '{"id": "a", "prompt": "What is two plus two, and why?", "answers": ["four"]}'
    ended = tokenrank("model=tiny", "task=prompts", prompts_file(tmp_path, line), "answer=reference", "metric=recall")
    assert ended.code == 0, ended.err
    sample = pd.read_parquet(tmp_path / "run" / "samples.parquet").iloc[0]
    assert sample["answer"] == "four"
    assert sample["answer_tokens"] == 4  # bytes


OUTSIDE = '''
from dataclasses import dataclass
import torch
from tokenrank.heuristics.heuristic import Heuristic

@dataclass(frozen=True)
class Backwards(Heuristic):
    """Earlier is better; for some prompts at one layer it breaks."""
    broken_tokens: int = 0

    def score(self, layer):
        scores = -torch.arange(layer.tokens, dtype=torch.float32)
        return scores / 0 if layer.tokens == self.broken_tokens and layer.index == 2 else scores
'''


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A heuristic of somebody else: its class in a module of their own, its config in a folder of their own."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "outside_heuristics.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(str(tmp_path / "theirs"))
    (tmp_path / "theirs" / "heuristic").mkdir()
    (tmp_path / "theirs" / "heuristic" / "backwards.yaml").write_text(
        "backwards:\n  _target_: outside_heuristics.Backwards\n  broken_tokens: 0\n"
    )
    return str(tmp_path / "theirs")


def test_a_heuristic_from_outside_runs_beside_ours(tokenrank: Command, tmp_path: Path, outside: str) -> None:
    ended = tokenrank("--config-dir", outside, *SMALL, "heuristic=[backwards,sinks]")
    assert ended.code == 0, ended.err
    table = pd.read_parquet(tmp_path / "run" / "metrics.parquet")
    ours, theirs = (table.loc[table["heuristic"] == name, "value"].tolist() for name in ("sinks", "backwards"))
    assert theirs == ours
    assert len(ours) > 0


def test_a_config_without_a_class_is_refused_not_dropped(tokenrank: Command, tmp_path: Path, outside: str) -> None:
    (Path(outside) / "heuristic" / "slip.yaml").write_text("slip:\n  _tagret_: outside_heuristics.Backwards\n")
    ended = tokenrank("--config-dir", outside, *SMALL, "heuristic=[slip,tova]")
    refused(ended, "heuristic.slip has no _target_", tmp_path)


def test_a_prompt_with_nan_scores_fails_by_name_and_the_others_go_on(
    tokenrank: Command, tmp_path: Path, outside: str
) -> None:
    broken = (
        "heuristic=backwards",
        "heuristic.backwards.broken_tokens=350",
        "task.lengths=[300,350]",
        "task.depths=[0]",
    )
    ended = tokenrank("--config-dir", outside, *SMALL, *broken)
    assert ended.code == 1
    assert "1 of 2 prompts failed" in ended.err
    samples = pd.read_parquet(tmp_path / "run" / "samples.parquet").set_index("id")
    assert list(samples["status"]) == ["ok", "failed"]
    error = samples.loc["niah_350_0_0", "error"]
    assert "heuristic backwards, layer 2, sample niah_350_0_0" in str(error)
    assert set(pd.read_parquet(tmp_path / "run" / "metrics.parquet")["sample"].dropna()) == {"niah_300_0_0"}


def test_a_failed_prompt_does_not_count_between_layers(tokenrank: Command, tmp_path: Path, outside: str) -> None:
    chosen = ("heuristic=[claa,backwards]", "metric=[recall,jaccard]", "heuristic.backwards.broken_tokens=350")
    found = []
    for name, lengths, code in (("both", "[300,350]", 1), ("one", "[300]", 0)):
        places = (f"task.lengths={lengths}", "task.depths=[0]", f"hydra.run.dir={tmp_path / name}")
        assert tokenrank("--config-dir", outside, *SMALL, *chosen, *places).code == code
        table = pd.read_parquet(tmp_path / name / "metrics.parquet")
        found.append(table[table["metric"] == "jaccard.between"].reset_index(drop=True))
    assert len(found[0]) == 2 * 2 * 6  # heuristics, k, pairs of 4 layers
    pd.testing.assert_frame_equal(found[0], found[1])


def test_a_run_in_which_every_prompt_fails_still_leaves_its_tables(
    tokenrank: Command, tmp_path: Path, outside: str
) -> None:
    ended = tokenrank("--config-dir", outside, *SMALL, "heuristic=backwards", "heuristic.backwards.broken_tokens=300")
    assert ended.code == 1
    assert "no prompt could be ranked" in ended.out
    assert len(pd.read_parquet(tmp_path / "run" / "metrics.parquet")) == 0
    assert (pd.read_parquet(tmp_path / "run" / "samples.parquet")["status"] == "failed").all()


BAD_SETTINGS = [
    ("heuristic=clla", "did you mean claa"),
    ("heuristic=[claa,gemfilte]", "heuristic=gemfilte is not known; did you mean gemfilter"),
    ("model=smollm", "did you mean smollm2"),
    ("task=longbnch", "did you mean longbench"),
    ("heuristic=[]", "heuristic chooses nothing"),
    ("nonsense=1", "nonsense"),
    ("heuristic.claa.window=300", "heuristic.claa.window=300 is not below the 300 tokens"),
    ("universe.window=290", "universe.window=290 reaches into the needle"),
    ("universe.window=300", "universe.window=300 is not below the 300 tokens"),
    ("heuristic.claa.window=0", "heuristic.claa: window is 0"),
    ("heuristic.claa.window=wide", "heuristic.claa.window is 'wide', must be of type int"),
    ("heuristic.claa.kernel=4", "heuristic.claa: kernel is 4, must be odd"),
    ("heuristic.claa.heads=q", "heads is 'q', must be one of kv, sum"),
    ("heuristic=speculative heuristic.speculative.look_ahead=0", "heuristic.speculative: look_ahead is 0"),
    ("heuristic=speculative heuristic.speculative.draft=./nowhere", "no such file or folder"),
    ("heuristic=speculative answer=reference", "heuristic.speculative: draft is null"),
    ("heuristic=asl heuristic.asl.tau=2", "heuristic.asl: tau is 2"),
    ("heuristic.claa.n=999999", "heuristic.claa: n is 999999, must be at most 4, the number of layers"),
    ("heuristic=asl heuristic.asl.layers=99", "heuristic.asl: layers is 99, must be at most 4"),
    ("heuristic=asl heuristic.asl.first_layer=4", "heuristic.asl: first_layer is 4, must be below 4"),
    ("heuristic.claa.kernel=99999", "heuristic.claa needs at least 99999 tokens"),
    ("oracle.attention.kernel=2", "oracle.attention: kernel is 2, must be odd"),
    ("answer=true", "answer is True"),
    ("k=[0]", "k is 0, must be above 0 and at most 100 percent"),
    ("k=[5,100.5]", "k is 100.5"),
    ("k=10", "k is 10, must be a list"),
    ("k=[10,10]", "k holds a value twice"),
    ("plots.k=7", "plots.k is 7, must be one of k=[5, 10]"),
    ("model.dtype=float8", "model.dtype is 'float8'"),
    ("model.path=./nowhere", "no such file or folder"),
    ("task.lengths=[9000]", "task.lengths holds 9000"),
    ("task.lengths=[20]", "task.lengths holds 20"),
    ("task.depths=[101]", "task.depths holds 101"),
    ("task.samples=0", "task.samples is 0"),
]


@pytest.mark.parametrize(("setting", "sentence"), BAD_SETTINGS)
def test_bad_settings_get_one_sentence_and_leave_nothing(
    tokenrank: Command, tmp_path: Path, setting: str, sentence: str
) -> None:
    refused(tokenrank(*SMALL, *setting.split()), sentence, tmp_path)


BAD_PREFILL = [
    ("prefill.keep=[0]", "prefill.keep holds 0, must be above 0 and at most 100 percent"),
    ("prefill.keep=[10,100.5]", "prefill.keep holds 100.5"),
    ("prefill.keep=[many]", "prefill.keep holds 'many'"),
    ("prefill.keep=[10,10]", "prefill.keep holds a value twice"),
    ("prefill.keep=[]", "must be a list of percentages"),
    ("prefill.keep=[2]", "of the 300 tokens of prompt niah_300_0_0 these are 6, no more than the window of 8"),
    (
        "prefill.select_layer=4",
        "prefill.engine.claa: select_layer is 4, must be an attention layer of the model: 0 to 3",
    ),
    ("prefill.select_layer=first", "prefill.engine.claa.select_layer is 'first', must be of type int"),
    ("prefill.engine.claa.min_layer=-1", "prefill.engine.claa: min_layer is -1"),
    ("save_rankings=true", "save_rankings is true, must be false"),
    ("prefill.window=0", "window is 0, must be at least 1 token"),
    ("heuristic=speculative heuristic.speculative.draft=./nowhere", "no such file or folder"),
    (
        "heuristic=speculative prefill.engine.speculative._target_=prefill.layerwise.Layerwise",
        "Speculative has no ranking of",
    ),
    (
        "heuristic=tova +prefill.engine.tova={_target_:prefill.draft.Draft}",
        "prefill.engine.tova: TOVA ranks what the model has read; the draft engine needs a heuristic that ranks before",
    ),
    ("answer=reference", "must be generated: the answers are scored"),
    ("task=random_tokens", "evaluation=accuracy needs a task that scores answers"),
]


@pytest.mark.parametrize(("setting", "sentence"), BAD_PREFILL)
def test_what_no_engine_can_do_gets_one_sentence_and_leaves_nothing(
    tokenrank: Command, tmp_path: Path, setting: str, sentence: str
) -> None:
    small = [each for each in SMALL if "task=random_tokens" not in setting or not each.startswith("task.")]
    refused(tokenrank(*small, "evaluation=accuracy", *setting.split()), sentence, tmp_path)


def test_a_model_without_positions_is_refused_before_anything_is_written(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenrank.evaluation.driving.takes_positions", lambda _: False)
    ended = tokenrank(*SMALL, "evaluation=accuracy", "heuristic=gemfilter")
    refused(ended, "LlamaForCausalLM takes no positions: kept tokens could not be told where they stand", tmp_path)


@pytest.mark.parametrize("evaluation", ["accuracy", "ttft"])
def test_a_draft_with_another_tokenizer_is_refused_by_every_evaluation(
    tokenrank: Command, tmp_path: Path, tiny_model: PreTrainedModel, capsys: pytest.CaptureFixture[str], evaluation: str
) -> None:
    other = byte_tokenizer()
    other.add_tokens(["another"])
    tiny_model.save_pretrained(tmp_path / "draft")
    other.save_pretrained(tmp_path / "draft")
    capsys.readouterr()  # of the saving
    given = ("model=tiny", f"evaluation={evaluation}", "heuristic=speculative")
    ended = tokenrank(*given, f"heuristic.speculative.draft={tmp_path / 'draft'}")
    refused(ended, "whose tokenizer is not the model's", tmp_path)


BAD_LINES = [
    ('{"id": "b", "prompt": ""}', "the prompt of id 'b' is empty"),
    ('{"id": "b", "prompt": "text"', "line 2: not valid JSON"),
    ('{"id": "b"}', "line 2: lacks the field 'prompt'"),
    ('{"prompt": "text"}', "line 2: lacks the field 'id'"),
    ('["id", "prompt"]', "line 2: must be a JSON object"),
    ('{"id": "b", "prompt": "short"}', "is not below the 5 tokens of prompt b"),
    ('{"id": "b", "prompt": "long enough for all", "max_new_tokens": 0}', "max_new_tokens"),
]


@pytest.mark.parametrize(("line", "sentence"), BAD_LINES)
def test_bad_prompts_get_one_sentence_and_leave_nothing(
    tokenrank: Command, tmp_path: Path, line: str, sentence: str
) -> None:
    path = prompts_file(tmp_path, '{"id": "a", "prompt": "a prompt that is fine"}', line)
    refused(tokenrank("model=tiny", "task=prompts", path), sentence, tmp_path)


def test_fields_that_are_not_read_are_named(tokenrank: Command, tmp_path: Path) -> None:
    path = prompts_file(tmp_path, '{"id": "a", "prompt": "a prompt that is fine", "answer": "x"}')
    ended = tokenrank("model=tiny", "task=prompts", path, "metric=recall", "task.max_new_tokens=2")
    assert ended.code == 0, ended.err
    assert "not read: answer (optional are answers" in ended.err


def test_a_missing_folder_is_named_before_its_files(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank("model=tiny", "task=longbench", f"task.path={tmp_path / 'none'}", "task.subset=[qasper]")
    refused(ended, "there is no such folder", tmp_path)


def test_a_missing_template_file_is_named(tokenrank: Command, tmp_path: Path) -> None:
    (tmp_path / "qasper.jsonl").write_text('{"input": "", "context": "", "answers": []}\n')
    ended = tokenrank("model=tiny", "task=longbench", f"task.path={tmp_path}", "task.subset=[qasper]")
    refused(ended, "dataset2prompt.json cannot be read", tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tokenrank: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(tokenrank(*SMALL, f"hydra.run.dir={tmp_path / 'file' / 'run'}"), str(tmp_path / "file"), tmp_path)


def test_a_model_that_cannot_be_reached_says_what_to_do(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("transformers.utils.hub.is_offline_mode", lambda: True)
    refused(tokenrank("model=llama3"), "set model.path to a local folder", tmp_path)


def refused(ended: Ended, sentence: str, folder: Path) -> None:
    """The run ended with code 2, said the sentence in one line, and left no folder behind."""
    assert ended.code == 2
    assert sentence in ended.err
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    assert not (folder / "run").exists()


def test_the_paper_experiment_pins_the_authors_settings_for_whichever_are_chosen(
    tokenrank: Command, tmp_path: Path
) -> None:
    small = [each for each in SMALL if not each.startswith("k=")]
    ended = tokenrank(*small, "experiment=paper_rankings", "heuristic=claa", "task.depths=[0]")
    assert ended.code == 0, ended.err
    config = OmegaConf.load(tmp_path / "run" / "config.yaml")
    assert OmegaConf.to_container(config.heuristic) == {
        "claa": {"_target_": "tokenrank.heuristics.claa.CLAA", "n": 4, "window": 8, "kernel": 13, "heads": "sum"}
    }
