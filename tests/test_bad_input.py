"""Bad settings: one sentence that names the setting, code 2, and no folder; a model with large weights is not loaded for it."""

import socket
from pathlib import Path

import pytest
from transformers import PreTrainedModel

from tests.command import SMALL, Command, refused
from tokenrank.models.tiny import byte_tokenizer

NO_NAME = "a group takes a file's name or a list of names"
GROUPS = ("heuristic", "metric", "evaluation", "model", "task", "oracle", "universe", "prefill", "logger")

CHOICES = [
    *[(f"{group}=null", f"{group}=null: {NO_NAME}") for group in GROUPS],
    ("heuristic=5", f"heuristic=5: {NO_NAME}"),
    ("heuristic=clla", "did you mean claa"),
    ("heuristic=[claa,gemfilte]", "heuristic=gemfilte is not known; did you mean gemfilter"),
    ("heuristic=[claa,claa]", "heuristic holds claa twice"),
    ("metric=[recall,recall]", "metric holds recall twice"),
    ("heuristic=", "heuristic= is not known"),
    ("heuristic=[]", "heuristic is None, must be chosen: heuristic=NAME"),
    ("heuristic.claa=null", "heuristic.claa is None, must be a mapping with a _target_"),
    ("heuristic=[claa,tova] heuristic.claa=null", "heuristic.claa is None, must be a mapping with a _target_"),
    ("heuristic.claa=5", "heuristic.claa is 5, must be a mapping"),
    ("model=smollm", "did you mean smollm2"),
    ("task=longbnch", "did you mean longbench"),
    ("experiment=nope", "experiment=nope is not known"),
    ("--config-name nope", "Cannot find primary config 'nope'"),
    ("heuristic claa", "'heuristic' has no value: every argument is NAME=VALUE, as in heuristic=claa"),
    ("task=prompts", "task.path is missing and has no default"),
]
TOP = [
    ("+nonsense=1", "nonsense is not a setting; there are agreement, answer, "),
    ("nonsense=1", "nonsense"),
    ("+universe.nonsense=1", "universe.nonsense is not a setting; there are of, window"),
    ("+prefill.nonsense=1", "prefill.nonsense is not a setting"),
    ("+logger.nonsense=1", "logger.nonsense is not a setting"),
    ("+evaluation.nonsense=1", "evaluation.nonsense is not a setting; there are agreement, chunk, compare, k, "),
    ("~k", "k is missing"),
    ("~seed", "seed is missing"),
    ("~universe", "universe is missing"),
    ("seed=-1", "seed is -1, must be a whole number, at least 0"),
    ("seed=1.5", "seed is 1.5, must be of type int"),
    ("save_rankings=maybe", "save_rankings is 'maybe', must be of type bool"),
    ("texts=null", "texts is None, must be of type bool"),
    ("press=5", "press is 5, must be of type str or a list of names, as in [a,b] or null"),
    ("answer=true", "answer is True"),
    ("answer=nobody", "answer is 'nobody', must be generated or reference"),
    ("k=[0]", "k holds 0, must be above 0 and at most 100 percent"),
    ("plots.k=0 k=[0]", "k holds 0, must be above 0 and at most 100 percent"),
    ("k=[10,100.5]", "k holds 100.5"),
    ("k=10", "k is 10, must be a list"),
    ("k=abc", "k is 'abc', must be a list of numbers, as in [1,2.5]"),
    ("k=[]", "k is empty, must be a list of percentages"),
    ("k=[10,10]", "k holds a value twice"),
    ("k=${nowhere}", "Interpolation key 'nowhere' not found"),
    ("plots.k=7", "plots.k is 7, must be one of k=[5, 10]"),
    ("bootstrap.resamples=0", "bootstrap.resamples is 0, must be a whole number, at least 1"),
    ("universe.window=-1", "universe.window is -1"),
    ("universe.window=290", "universe.window=290 reaches into the evidence"),
    ("universe.window=300", "universe.window=300 is not below the 300 tokens"),
    ("study=5", "study is 5, must be a mapping or null"),
    ("study={a:1}", "study lacks name, parameter, label, scale, metric, values"),
    ("experiment=kernel +study.nonsense=1", "study.nonsense is not a setting"),
    ("experiment=kernel +study.points=5", "study.points is 5, must be left out: the values make the points"),
    ("experiment=kernel study.values=[1,1]", "study.values holds a value twice"),
    ("experiment=kernel study.values=[4]", "heuristic.claa_kernel4: kernel is 4, must be odd"),
    ("experiment=kernel study.metric=nope", "study.metric is 'nope'"),
    ("logger=wandb logger.timeout=0", "logger: timeout is 0, must be above 0 seconds"),
    ("logger=wandb logger.texts=1", "logger.texts is 1, must be of type bool"),
    ("logger=wandb logger.project=5", "logger.project is 5, must be of type str"),
]
PARTS = [
    ("heuristic.claa.window=300", "heuristic.claa needs prompts of at least 301 tokens (window=300"),
    ("heuristic.claa.window=0", "heuristic.claa: window is 0"),
    ("heuristic.claa.window=wide", "heuristic.claa.window is 'wide', must be of type int"),
    ("heuristic.claa.kernel=4", "heuristic.claa: kernel is 4, must be odd"),
    ("heuristic.claa.kernel=99999", "heuristic.claa needs prompts of at least 99999 tokens"),
    ("heuristic.claa.heads=q", "heads is 'q', must be one of kv, sum"),
    ("heuristic.claa.n=999999", "heuristic.claa: n is 999999, must be at most 4, the number of layers"),
    ("+heuristic.claa.windwo=3", "heuristic.claa.windwo is not a setting; there are heads, kernel, n, window"),
    ("+heuristic.claa._partial_=true", "heuristic.claa._partial_ is not a setting"),
    ("+heuristic.claa._args_=[1]", "heuristic.claa._args_ is not a setting"),
    ("heuristic=speculative heuristic.speculative.look_ahead=0", "heuristic.speculative: look_ahead is 0"),
    ("heuristic=speculative heuristic.speculative.draft=./nowhere", "no such file or folder"),
    ("heuristic=speculative answer=reference", "heuristic.speculative: draft is null"),
    ("heuristic=asl heuristic.asl.tau=2", "heuristic.asl: tau is 2"),
    ("heuristic=asl heuristic.asl.layers=99", "heuristic.asl: layers is 99, must be at most 4"),
    ("heuristic=asl heuristic.asl.first_layer=4", "heuristic.asl: first_layer"),
    ("heuristic=kvpress", "heuristic.kvpress: press is null"),
    ("oracle.attention.kernel=2", "oracle.attention: kernel is 2, must be odd"),
    ("oracle.attention.heads=median", "oracle.attention: heads is 'median'"),
    ("metric.recall=5", "metric.recall is 5, must be a mapping"),
    ("model.dtype=int3", "model.dtype is 'int3', must be one of float32"),
    ("model.path=./nowhere", "no such file or folder"),
    ("model.heads=0", "model.heads is 0, must be at least 1"),
    ("model.device=cuda:99", "model.device is 'cuda:99', and this machine has "),
    ("model.device=meta", "model.device is 'meta', must be auto or a torch device"),
    ("model.device=nonsense", "model.device is 'nonsense', must be auto or a torch device"),
    ("task.lengths=[1.5]", "task.lengths is [1.5], must be a list of whole numbers, as in [1,2]"),
    ("task.lengths=[9000]", "task.lengths holds 9000"),
    ("task.lengths=[20]", "task.lengths holds 20"),
    ("task.depths=[101]", "task.depths holds 101"),
    ("task.samples=0", "task.samples is 0"),
]


@pytest.mark.parametrize(("setting", "sentence"), [*CHOICES, *TOP, *PARTS])
def test_bad_settings_get_one_sentence_and_leave_nothing(
    tokenrank: Command, tmp_path: Path, setting: str, sentence: str
) -> None:
    own = setting.partition(" ")[0].partition("=")[0]
    before = [each for each in SMALL if own != "task" or not each.startswith("task.")]
    given = [*setting.split()] if setting.startswith("--") else [*before, *setting.split()]
    refused(tokenrank(*given), sentence, tmp_path)


BROUGHT = [
    ("answers=one.jsonl", "answers=one.jsonl has no answer to prompt niah_300_50_0: leave out what it lacks"),
    ("answers=twice.jsonl", "twice.jsonl has two answers to prompt niah_300_0_0, must have one"),
    ("answers=nowhere.jsonl", "nowhere.jsonl is not there, or is not a file"),
    ("answers=both.jsonl answer=reference", "answers is both.jsonl, must be null with answer=reference"),
    ("answers=both.jsonl heuristic=speculative", "which needs answer=generated, not brought: set draft to a model"),
    (
        "answers=both.jsonl evaluation=accuracy",
        "answer is brought (by the setting answers), must be generated: the answers",
    ),
]


@pytest.mark.parametrize(("setting", "sentence"), BROUGHT)
def test_answers_that_cannot_be_used_get_one_sentence_and_leave_nothing(
    tokenrank: Command, tmp_path: Path, setting: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "files").mkdir()
    first, second = (f'{{"id": "niah_300_{depth}_0", "answer": "some words"}}\n' for depth in (0, 50))
    for name, content in (("one", first), ("both", first + second), ("twice", first + second + first)):
        (tmp_path / "files" / f"{name}.jsonl").write_text(content)
    monkeypatch.chdir(tmp_path / "files")
    refused(tokenrank(*SMALL, *setting.split()), sentence, tmp_path)


BAD_PREFILL = [
    ("prefill.keep=[0]", "prefill.keep holds 0, must be above 0 and at most 100 percent"),
    ("prefill.keep=[10,100.5]", "prefill.keep holds 100.5"),
    ("prefill.keep=[many]", "prefill.keep is ['many'], must be a list of numbers"),
    ("prefill.keep=[10,10]", "prefill.keep holds a value twice"),
    ("prefill.keep=[]", "must be a list of percentages"),
    ("prefill.keep=[2]", "of the 300 tokens of prompt niah_300_0_0 these are 6, no more than the window of 8"),
    (
        "prefill.select_layer=4",
        "prefill.engine.claa: select_layer is 4, must be an attention layer of the model: 0 to 3",
    ),
    ("prefill.select_layer=first", "prefill.select_layer is 'first', must be of type int or null"),
    ("prefill.engine.claa.min_layer=-1", "prefill.engine.claa: min_layer is -1"),
    ("prefill.engine.claa.min_layer=99", "prefill.engine.claa: min_layer is 99, must be at most 4"),
    ("heuristic=tova ~prefill.engine.any", "prefill.engine has no line for tova and none called any; it has claa"),
    ("save_rankings=true", "save_rankings is true, must be false"),
    ("prefill.window=0", "window is 0, must be at least 1 token"),
    ("heuristic=speculative heuristic.speculative.draft=./nowhere", "no such file or folder"),
    (
        "heuristic=speculative prefill.engine.speculative._target_=tokenrank.prefill.layerwise.Layerwise",
        "Speculative has no ranking of",
    ),
    (
        "heuristic=tova +prefill.engine.tova={_target_:tokenrank.prefill.draft.Draft}",
        "prefill.engine.tova: TOVA ranks what the model has read; the draft engine needs a heuristic that ranks before",
    ),
    ("answer=reference", "must be generated: the answers are graded"),
    ("task=random_tokens", "evaluation=accuracy needs a task that grades answers"),
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
    monkeypatch.setattr("tokenrank.capture.feeding.takes_positions", lambda _: False)
    ended = tokenrank(*SMALL, "evaluation=accuracy", "heuristic=gemfilter")
    refused(ended, "LlamaForCausalLM.forward() accepts no position_ids", tmp_path)


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


def test_a_model_that_cannot_be_reached_says_what_to_do(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("transformers.utils.hub.is_offline_mode", lambda: True)
    refused(tokenrank("model=llama3"), "set model.path to a local folder", tmp_path)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("evaluation=accuracy prefill.keep=[0]", "prefill.keep holds 0"),
        ("k=[10,10]", "k holds a value twice"),
        ("heuristic.claa.window=0", "heuristic.claa: window is 0"),
        ("oracle.attention.kernel=2", "oracle.attention: kernel is 2"),
        ("task.samples=0", "task.samples is 0"),
        ("prefill.engine.claa.min_layer=-1 evaluation=accuracy", "prefill.engine.claa: min_layer is -1"),
        ("model.weights=random model.device=cuda:77", "model.device is 'cuda:77', and this machine has "),
    ],
)
def test_a_large_model_is_neither_asked_for_nor_loaded_for_a_bad_setting(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, sentence: str
) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr("tokenrank.models.pretrained.hub_answers", no_network)
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", no_network)
    refused(tokenrank("model=llama3", *setting.split()), sentence, tmp_path)


def test_without_a_home_folder_the_default_model_says_what_to_set(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object) -> None:
        raise KeyError("no such user")

    for name in ("HOME", "TOKENRANK_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    refused(tokenrank(*SMALL[1:]), "TOKENRANK_CACHE", tmp_path)
