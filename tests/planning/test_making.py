"""A config is checked whole before any weight is loaded; what a user types is tested in tests/test_run.py."""

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from transformers import AutoConfig, AutoModelForCausalLM

from tests.plans import CONFIGS, composed, config, plan
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.evaluation.ranking import RankingAgreement
from tokenrank.heuristics.claa import CLAA
from tokenrank.models.architectures import ARCHITECTURES, SHAPE
from tokenrank.models.tiny import Tiny, byte_tokenizer
from tokenrank.oracle.answer_attention import AttentionOracle
from tokenrank.planning.making import layer_note, make_plan

PROMPTS = {"_target_": "tests.doubles.GivenPrompts"}


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on loading a model fails the test."""
    monkeypatch.setattr(Tiny, "model", lambda _: pytest.fail("weights were loaded"))


def changed(**settings: object) -> DictConfig:
    given = config()
    OmegaConf.set_struct(given, False)
    for name, value in settings.items():
        OmegaConf.update(given, name.replace("__", "."), value, merge=False, force_add=True)
    return given


@pytest.mark.usefixtures("no_weights")
def test_everything_a_run_needs_is_built_without_weights() -> None:
    made = plan("heuristic=[claa,oracle]", "heuristic.claa.n=2", "metric=all", "seed=5")
    assert made.heuristics == {"claa": CLAA(n=2)}
    assert made.rankings == ["claa", "oracle"]
    assert made.oracles == {"attention": AttentionOracle()}
    assert [len(prompt.input_ids) for prompt in made.prompts] == [300, 300]
    assert [(unit.number, unit.name) for unit in made.units] == [(0, "niah_300_0_0"), (1, "niah_300_50_0")]
    assert len({unit.key for unit in made.units}) == 2
    assert set(made.metrics) == {file.stem for file in (CONFIGS / "metric").glob("*.yaml")} - {
        "all",
        "lds",
        "drop",
        "kept",
    }  # these feed the answer again and again
    assert made.layers == ModelLayers(4, (0, 1, 2, 3))
    assert made.model_name == "tiny"
    compare = {"against": "all", "metric": None, "k": None, "controls": False}
    masks = {"count": 64, "keep": 50, "seed": 0}
    wanted = RankingAgreement(
        k=[5, 10], window=8, seed=5, resamples=200, compare=compare, masks=masks, truths=["attention"]
    )
    assert made.evaluation == wanted


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("evaluation", ["accuracy", "ttft"])
def test_no_evaluation_needs_weights_for_its_plan(evaluation: str) -> None:
    assert plan(evaluation=evaluation).evaluation.kind == evaluation


def test_the_given_config_is_left_as_it_was() -> None:
    given = composed(
        "model=tiny", "task.lengths=[300]", "experiment=claa_window", "heuristic=claa", "study.values=[1,2]"
    )
    before = OmegaConf.to_yaml(given)
    made = make_plan(given)
    assert OmegaConf.to_yaml(given) == before
    assert list(made.config.heuristic) == ["claa_n1", "claa_n2"]
    assert made.config.evaluation.k == given.k  # resolved


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("heuristic__claa__window", 300, r"heuristic\.claa needs prompts of at least 301 tokens \(window=300, kernel=7\)"),
        ("heuristic__claa__kernel", 4, r"heuristic\.claa: kernel is 4, must be odd"),
        ("heuristic__claa__n", 9, r"heuristic\.claa: n is 9"),
        ("heuristic__claa___target_", "tests.doubles.function", r"heuristic\.claa\._target_ is .*, must be a subclass of"),
        ("heuristic__tova", 5, r"heuristic\.tova is 5, must be a mapping with a _target_"),
        ("heuristic", {}, "heuristic chooses nothing"),
        ("metric", {}, "metric chooses nothing"),
        ("metric__recall__at_k", 1, r"metric\.recall\.at_k is 1, must be of type bool"),
        ("oracle", {}, "oracle chooses nothing"),
        ("oracle__attention__layers", "some", r"oracle\.attention: layers is 'some'"),
        ("model__layers", 0, r"model\.layers is 0, must be at least 1"),
        ("model__dtype", "float8", r"model\.dtype is 'float8'"),
        ("model___target_", "tokenrank.tasks.niah.NeedleInAHaystack", r"model\._target_ is .*Pretrained$"),
        ("task__lengths", [20], r"task\.lengths holds 20, at least"),
        ("task__lengths", [9000], r"task\.lengths"),
        ("task__colour", "red", r"task\.colour is not a setting"),
        ("evaluation___target_", "tests.doubles.Stranger", r"evaluation\._target_ is .*, must be a subclass of .*Evaluation$"),
        ("evaluation__nonsense", 1, r"evaluation\.nonsense is not a setting"),
        ("universe__window", 300, r"universe\.window=300 is not below the 300 tokens of prompt niah_300_0_0 of niah"),
        ("universe__window", 290, r"universe\.window=290 reaches into the evidence of prompt niah_300_0_0 of niah"),
        ("universe__of", "frame", r"evaluation: universe\.of is 'frame', must be prompt or context"),
        ("universe__window", -1, r"evaluation: universe\.window is -1, must be a whole number, at least 0"),
        ("bootstrap__resamples", 0, r"evaluation: bootstrap\.resamples is 0, must be a whole number, at least 1"),
        ("nonsense", 1, "nonsense is not a setting"),
        ("save_rankings", "maybe", "save_rankings is 'maybe'"),
        ("study", {"values": [1]}, "study lacks name, parameter, label, scale, metric"),
        ("task", PROMPTS | {"ids": ["a", "b", "a"]}, r"prompts of given/0 and prompts of given/2: .*'a'"),
        ("task", PROMPTS | {"ids": ["a", "A"]}, r"prompts of given/0 and prompts of given/1: ids 'a' and 'A' must differ"),
        ("task", PROMPTS | {"ids": ["a/b"]}, r"prompt of given/0: id 'a/b' must be fit for a file's name"),
        ("task", PROMPTS | {"ids": ["a"], "tokens": 8}, r"heuristic\.claa needs prompts of at least 9 tokens .*, and prompt a"),
        ("task", PROMPTS | {"ids": ["a"], "tokens": 0}, r"prompt a of given/0 is empty, at least one token is needed"),
        ("task", PROMPTS | {"ids": ["a"], "max_new_tokens": 0}, r"max_new_tokens of prompt a of given/0 is 0, must be at least 1"),
    ],
)  # fmt: skip
def test_bad_input_is_found_before_weights_are_loaded(setting: str, value: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        make_plan(changed(**{setting: value}))


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("evaluation", ["accuracy", "fidelity", "ttft"])
def test_one_truth_alone_drives_the_bounds_of_engines(evaluation: str) -> None:
    two = "+oracle.two={_target_:tokenrank.oracle.answer_attention.AttentionOracle}"
    chosen = composed("model=tiny", "task.lengths=[300]", two)
    assert list(make_plan(chosen).oracles) == ["attention", "two"]
    with pytest.raises(
        ValueError, match=f"^oracle chooses attention, two, must be one with evaluation={evaluation}, whose"
    ):
        make_plan(composed("model=tiny", "task.lengths=[300]", two, f"evaluation={evaluation}"))


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("answers", [None, [], [""]])
def test_a_reference_answer_is_asked_for_before_the_run(answers: list[str] | None) -> None:
    given = changed(answer="reference", task=PROMPTS | {"ids": ["a"], "answers": answers})
    with pytest.raises(
        ValueError, match=r"^answer=reference needs a reference answer, and prompt a of given/0 has none"
    ):
        make_plan(given)


def test_the_reference_answer_is_the_first_one_cut_at_its_limit() -> None:
    made = make_plan(changed(answer="reference", task=PROMPTS | {"ids": ["a"], "answers": ["hello", "other"]}))
    found = made.given_answer(made.prompts[0])
    assert found is not None
    assert made.tokenizer.decode(list(found.token_ids)) == "hel"
    assert found.origin == "reference"
    assert plan().given_answer(plan().prompts[0]) is None


@pytest.mark.parametrize(
    ("captured", "note"),
    [
        ([0, 1, 2], None),
        ([1], "note: 1 of 3 layers has attention and is ranked: 1"),
        ([0, 2], "note: 2 of 3 layers have attention and are ranked: 0, 2"),
    ],
)
def test_the_note_is_for_models_with_layers_that_are_not_ranked(captured: list[int], note: str | None) -> None:
    assert layer_note(ModelLayers(3, tuple(captured))) == note


def saved(architecture: str, folder: Path) -> Path:
    """A tiny model that reads bytes, as a folder of its own."""
    kind, settings = ARCHITECTURES[architecture]
    reads: dict[str, Any] = {"vocab_size": 257, "max_position_embeddings": 512}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = AutoConfig.for_model(kind, **(SHAPE | settings | reads))
        AutoModelForCausalLM.from_config(made).save_pretrained(folder)  # type: ignore[no-untyped-call]
    byte_tokenizer().save_pretrained(folder)
    return folder


def test_a_hybrid_says_once_which_layers_it_ranks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = saved("lfm2 (hybrid)", tmp_path / "hybrid")
    with caplog.at_level("INFO", "tokenrank"):
        made = make_plan(changed(model__path=str(path), heuristic__claa__n=1))
    assert made.layers == ModelLayers(3, (1,))
    assert made.model_name == "hybrid"
    notes = [each.getMessage() for each in caplog.records if "note" in each.getMessage()]
    assert notes == ["note: 1 of 3 layers has attention and is ranked: 1"]


@pytest.mark.parametrize(("original", "prompts"), [(303, 0), (302, 2), (300, 2), (299, 0)])
def test_answers_that_may_change_the_rope_factors_are_announced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, original: int, prompts: int
) -> None:
    """Two prompts of 300 tokens with answers of up to four, of which three are fed: to tokens 301, 302 and 303."""
    factors = {"short_factor": [1.0] * 4, "long_factor": [3.0] * 4, "rope_type": "longrope", "rope_theta": 1e4}
    reads = {"vocab_size": 257, "max_position_embeddings": 512, "original_max_position_embeddings": original}
    made = AutoConfig.for_model("phi3", **(SHAPE | {"sliding_window": None, "rope_parameters": factors} | reads))
    made.save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    with caplog.at_level("INFO", "tokenrank"):
        make_plan(changed(model__path=str(tmp_path), heuristic__claa__n=1))
    notes = [each.getMessage() for each in caplog.records if "note" in each.getMessage()]
    assert len(notes) == bool(prompts)
    if prompts:
        assert f"note: the answers to 2 of 2 prompts can go beyond {original} tokens" in notes[0]


def test_a_model_that_ranks_all_its_layers_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "tokenrank"):
        plan()
    assert "note" not in caplog.text


@pytest.mark.usefixtures("no_weights")
def test_a_model_that_shows_no_layer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tokenrank.capture.attention.ROUTES", {"sdpa": "sdpa"}
    )  # the ordinary attention: nobody is told
    with pytest.raises(ValueError, match=r"^no attention layer of LlamaForCausalLM was captured: it has none"):
        plan()


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["oracle=ablation", "chunk=290"],
            r"oracle\.ablation, prompt niah_300_0_0 of niah: chunk is 290 tokens, and the context has \d+",
        ),
        (
            ["oracle=[attention,regression]", "chunk=0"],
            r"evaluation: chunk is 0, must be at least 1 token, or sentence",
        ),
        (
            ["oracle=ablation", "metric=[mass,ndcg]"],
            r"metric chooses mass, ndcg, which need importance of at least 0, and oracle=ablation",
        ),
        (
            ["metric=lds", "chunk=200"],
            r"chunk=200 makes \d chunk of prompt niah_300_0_0 of niah, must make at least 2|chunk is 200",
        ),
        (["metric=drop", "loss_layers=[7]"], r"select_layer is 7, must be an attention layer of the model"),
        (["metric=lds", "masks.count=1"], r"evaluation: masks\.count is 1, must be a whole number, at least 2"),
        (
            ["oracle=ablation", "compare.metric=mass", "metric=[recall,mass]"],
            r"compare\.metric is 'mass', must be null or one of recall",
        ),
    ],
)
def test_truths_and_measures_that_cannot_be_are_found_before_weights_are_loaded(
    overrides: list[str], sentence: str
) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        make_plan(composed("model=tiny", "task.lengths=[300]", *overrides))


@pytest.mark.usefixtures("no_weights")
def test_settings_of_an_oracle_that_is_not_chosen_are_left_out() -> None:
    made = make_plan(composed("model=tiny", "task.lengths=[300]", "experiment=paper_rankings", "oracle=gradient"))
    assert list(made.oracles) == ["gradient"]


def test_names_that_a_terminal_would_obey_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^model\.name is 'a\\x1b\[2J', must hold printable characters alone$"):
        make_plan(changed(model__name="a\x1b[2J"))
    given = changed()
    given.heuristic["a\u202e"] = given.heuristic[next(iter(given.heuristic))]
    with pytest.raises(ValueError, match=r"^a name in heuristic is 'a\\u202e', must hold printable"):
        make_plan(given)


def test_a_shown_truth_that_nothing_is_measured_against_is_refused() -> None:
    two = ("oracle=[attention,ablation]", "plots.truth=ablation")
    with pytest.raises(ValueError, match=r"^plots\.truth is ablation, which none of metric=mass is measured against"):
        plan(*two, "metric=[mass]")
    assert plan(*two, "metric=[mass,recall]").oracles.keys() == {"attention", "ablation"}


def test_metrics_that_the_only_truth_forbids_are_refused() -> None:
    with pytest.raises(ValueError, match=r"mass"):
        plan("oracle=ablation", "metric=[mass]")
