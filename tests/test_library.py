"""tokenrank in Python: the numbers of the command, heuristics and answers of one's own, errors in one sentence."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from torch import Tensor
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

import tokenrank as library
from tests.command import Command
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.controls import Recency
from tokenrank.heuristics.gemfilter import GemFilter
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.speculative import Speculative
from tokenrank.library_inputs import prompts_of
from tokenrank.models.architectures import tiny_of
from tokenrank.models.tiny import byte_tokenizer as own_tokenizer
from tokenrank.oracle.answer_attention import AttentionOracle
from tokenrank.oracle.bound import Bound
from tokenrank.prefill.engine import Full
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.tasks.chat import chat
from tokenrank.tasks.task import Prompt
from tokenrank.tasks.tokens import encode

TEXTS = [" ".join(f"Room {n} holds {n * n % 97} chairs." for n in range(first, first + 12)) for first in (3, 40)]
NUMBERS = ["heuristic", "layer", "metric", "k", "value"]


@dataclass(frozen=True)
class ValueNorm(Heuristic):
    """Tokens with long values rank first."""

    @property
    def needs(self) -> Needs:
        return Needs(values=True)

    def score(self, layer: AttentionLayer) -> Tensor:
        values = layer.values  # noqa: PD011
        assert values is not None
        scores: Tensor = values.float().norm(dim=-1).mean(dim=0)
        return scores


def of_command(command: Command, folder: Path, *overrides: str, **fields: object) -> Path:
    """The run folder of the command on TEXTS."""
    lines = [json.dumps({"id": f"prompt_{n}", "prompt": text} | fields) for n, text in enumerate(TEXTS)]
    (folder / "prompts.jsonl").write_text("\n".join(lines) + "\n")
    fixed = ("model=tiny", "task=prompts", f"task.path={folder / 'prompts.jsonl'}", "task.max_new_tokens=6")
    ended = command(*fixed, *overrides)
    assert ended.code == 0, ended.err
    return folder / "run"


@pytest.mark.parametrize("chat_template", [False, True])
def test_rank_gives_the_numbers_of_the_command(
    tokenrank: Command, tmp_path: Path, tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer, chat_template: bool
) -> None:
    chosen = ("heuristic=[gemfilter,claa,oracle]", "metric=[recall,spearman]")
    wanted = library.load(of_command(tokenrank, tmp_path, *chosen, chat_template=chat_template)).metrics
    heuristics: dict[str, Heuristic | Bound] = {"gemfilter": GemFilter(), "claa": CLAA(), "oracle": Bound()}
    found = library.rank(tiny_model, byte_tokenizer, TEXTS, heuristics, chat_template=chat_template, max_new_tokens=6)
    assert set(found["model"]) == {"LlamaForCausalLM"}
    pd.testing.assert_frame_equal(found.drop(columns="model"), wanted.drop(columns="model"))


def test_a_given_answer_gives_the_numbers_of_a_reference_answer(
    tokenrank: Command, tmp_path: Path, tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer
) -> None:
    chosen = ("heuristic=claa", "metric=recall", "answer=reference")
    wanted = library.load(of_command(tokenrank, tmp_path, *chosen, answers=["seven chairs"])).metrics
    found = library.rank(
        tiny_model, byte_tokenizer, TEXTS, {"claa": CLAA()}, answers=["seven chairs"] * 2, max_new_tokens=6, metrics="recall"
    )  # fmt: skip
    pd.testing.assert_frame_equal(found[NUMBERS], wanted[NUMBERS])
    generated = library.rank(tiny_model, byte_tokenizer, TEXTS, {"claa": CLAA()}, max_new_tokens=6, metrics="recall")
    assert found["value"].tolist() != generated["value"].tolist()


def test_answer_gives_the_answers_of_the_command(
    tokenrank: Command, tmp_path: Path, tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer
) -> None:
    chosen = ("model=tiny", "task.lengths=[300]", "task.depths=[50]", "task.max_new_tokens=6", "prefill.keep=[20]")
    ended = tokenrank(*chosen, "evaluation=accuracy", "heuristic=[claa,gemfilter,speculative,recency]")
    assert ended.code == 0, ended.err
    tables = library.load(tmp_path / "run")
    prompt = Prompt("a", "niah", tuple(encode(byte_tokenizer, tables.samples["prompt"][0])), 6)
    heuristics = {
        "claa": CLAA(), "gemfilter": GemFilter(), "speculative": Speculative(), "recency": Recency(), "full": None,
    }  # fmt: skip
    for run in tables.runs.itertuples():
        name = str(run.heuristic) if isinstance(run.heuristic, str) else "full"
        if name in heuristics:
            found = library.answer(tiny_model, byte_tokenizer, prompt, heuristics.pop(name), keep=20)
            assert (found.text, len(found.token_ids)) == (run.answer, run.answer_tokens)
            assert len(found.kept) == run.kept_tokens
    assert not heuristics


def test_answer_follows_the_rules_of_the_prompt(tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer) -> None:
    prompt = Prompt("a", "test", tuple(range(60)), 6)
    plain = library.answer(tiny_model, byte_tokenizer, prompt).token_ids
    banned = Prompt("a", "test", tuple(range(60)), 6, not_first_ids=(plain[0],))
    assert library.answer(tiny_model, byte_tokenizer, banned).token_ids[0] != plain[0]


def test_a_heuristic_of_ones_own_may_read_values(tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer) -> None:
    mine = {"mine": ValueNorm(), "claa": CLAA()}
    found = library.rank(tiny_model, byte_tokenizer, TEXTS[0], mine, max_new_tokens=4, k=[10], metrics=["recall"])
    assert list(found["heuristic"].dropna().unique()) == ["mine", "claa"]
    assert len(found) == 1 + 2 * 4  # chance, and two heuristics at four layers
    short = library.answer(tiny_model, byte_tokenizer, TEXTS[0], ValueNorm(), keep=20, max_new_tokens=4)
    assert len(short.kept) == len(TEXTS[0]) // 5
    assert list(short.kept) == sorted(short.kept)


def test_all_tokens_kept_give_the_answer_of_the_full_prefill(
    tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer
) -> None:
    full = library.answer(tiny_model, byte_tokenizer, TEXTS[0], max_new_tokens=8)
    whole = library.answer(tiny_model, byte_tokenizer, TEXTS[0], ValueNorm(), keep=100, max_new_tokens=8)
    assert full == whole
    assert full.kept == tuple(range(len(TEXTS[0])))


def test_an_oracle_and_a_window_of_ones_choice_change_the_truth(
    tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer
) -> None:
    def values(oracle: AttentionOracle | None, window: int) -> list[float]:
        found = library.rank(
            tiny_model, byte_tokenizer, TEXTS[0], {"claa": CLAA()}, oracle, max_new_tokens=4, window=window
        )
        return list(found["value"])

    assert values(None, 8) == values(AttentionOracle(), 8)
    assert values(None, 8) != values(AttentionOracle(kernel=1), 8)
    assert values(None, 8) != values(None, 20)


def test_the_context_alone_can_be_ranked(tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer) -> None:
    """Tokens of the frame do not count: with the context as the whole prompt less its window, nothing changes."""

    def values(universe: str, context: range | None) -> list[float]:
        prompt = Prompt("a", "mine", tuple(encode(byte_tokenizer, TEXTS[0])), 4, context=context)
        found = library.rank(tiny_model, byte_tokenizer, prompt, {"claa": CLAA()}, universe=universe)
        return list(found["value"])

    assert values("context", range(len(TEXTS[0]))) == values("prompt", None)
    assert values("context", range(100, 250)) != values("prompt", range(100, 250))
    with pytest.raises(ValueError, match=r"^universe=context, and the context of prompt a of mine is not known"):
        values("context", None)
    with pytest.raises(ValueError, match=r"^universe\.of is 'frame', must be prompt or context"):
        values("frame", None)


def test_a_chat_prompt_is_the_template_s_text(tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer) -> None:
    given = {"heuristics": {"claa": CLAA()}, "max_new_tokens": 4}
    as_chat = library.rank(tiny_model, byte_tokenizer, "How many chairs?", chat_template=True, **given)  # type: ignore[arg-type]
    as_text = library.rank(tiny_model, byte_tokenizer, chat(byte_tokenizer, "How many chairs?"), **given)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(as_chat, as_text)


def test_arguments_reach_the_template_and_names_of_control_tokens_in_messages_are_text(
    tiny_model: PreTrainedModel,
) -> None:
    tokenizer, mine = own_tokenizer(), {"claa": CLAA()}
    tokenizer.chat_template = f"{tokenizer.chat_template}{{% if no_thinking %}}<none>{{% endif %}}"
    given = {"no_thinking": True}
    as_chat = library.rank(
        tiny_model, tokenizer, "How many?", mine, chat_template=True, template=given, max_new_tokens=4
    )
    as_text = library.rank(tiny_model, tokenizer, f"{chat(tokenizer, 'How many?')}<none>", mine, max_new_tokens=4)
    pd.testing.assert_frame_equal(as_chat, as_text)
    with pytest.raises(ValueError, match="sets thinking, which it does not read; it reads no_thinking"):
        library.answer(tiny_model, tokenizer, "a", chat_template=True, template={"thinking": False})
    (named,) = prompts_of(tokenizer, "It says <|end|>.", 4, chat_template=True, template=None)
    (final,) = prompts_of(tokenizer, "It says <|end|>.", 4, chat_template=False, template=None)
    assert (256 in named.input_ids, 256 in final.input_ids) == (False, True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"prompts": []}, "prompts is empty, must hold at least one"),
        ({"prompts": [7]}, "prompts holds 7, must be texts or prompts of a task"),
        ({"prompts": ""}, "prompt_0 has 0 tokens, and a prompt needs at least 1"),
        ({"prompts": "a" * 8}, "heuristic claa: prompt_0 has 8 tokens, and CLAA needs at least 9"),
        ({"window": 400}, "prompt_0 has 300 tokens, and window=400 needs at least 401"),
        ({"window": -1}, "window is -1, must be a whole number, at least 0"),
        ({"heuristics": {}}, "heuristics is {}, must be a mapping with at least one, as in {'claa': CLAA()}"),
        ({"heuristics": CLAA()}, "must be a mapping with at least one"),
        ({"heuristics": {"claa": CLAA}}, "is no heuristic, must be an instance of a subclass of Heuristic, as CLAA()"),
        (
            {"heuristics": {"claa": CLAA(n=9)}},
            "heuristic claa: n is 9, must be at most 4, the number of layers of the model",
        ),
        (
            {"metrics": ["recal"]},
            "metrics holds 'recal', must be some of average_precision, evidence_recall, jaccard, ",
        ),
        ({"k": [0]}, "k holds 0, must be above 0 and at most 100 percent"),
        ({"answers": ["a", "b"]}, "answers holds 2, must be one for each of the 1 prompts"),
        ({"answers": ""}, "the answer to prompt_0 is empty, must be a text of at least one token"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0, must be a whole number, at least 1"),
        ({"prompts": "a" * 8192}, "prompt_0 has 8192 tokens and its answer up to 64, and the model reads 8192 in all"),
        (
            {"max_tokens": 363},
            "prompt_0 has 300 tokens and its answer up to 64, and the model reads 363 in all: shorten one",
        ),
        (
            {"max_tokens": 302, "answers": "two"},
            "prompt_0 has 300 tokens and its answer up to 3, and the model reads 302",
        ),
        ({"max_tokens": 0}, "max_tokens is 0, must be null or at least 1 token"),
    ],
)
def test_what_rank_cannot_do_is_said_in_one_sentence(
    tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer, given: dict[str, object], said: str
) -> None:
    arguments: dict[str, object] = {"prompts": "a" * 300, "heuristics": {"claa": CLAA()}} | given
    with pytest.raises(ValueError, match=re.escape(said)) as error:
        library.rank(tiny_model, byte_tokenizer, **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"keep": 0}, "keep is 0, must be above 0 and at most 100 percent"),
        ({"keep": 2}, "keep is 2, which leaves 6 of 300 tokens, must leave more than the engine's window of 8"),
        ({"heuristic": None, "engine": Layerwise()}, "heuristic is None, and the engine layerwise needs one"),
        ({"engine": Layerwise(select_layer=9)}, "select_layer is 9, must be an attention layer of the model: 0 to 3"),
        ({"heuristic": Speculative(), "engine": Layerwise()}, "Speculative has no ranking of a layer's own"),
        ({"prompt": "a" * 8}, "prompt_0 has 8 tokens, and CLAA needs at least 9"),
        ({"prompt": "a" * 8129}, "prompt_0 has 8129 tokens and its answer up to 64, and the model reads 8192 in all"),
        ({"max_tokens": 300}, "prompt_0 has 300 tokens and its answer up to 64, and the model reads 300 in all"),
    ],
)
def test_what_answer_cannot_do_is_said_in_one_sentence(
    tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer, given: dict[str, object], said: str
) -> None:
    arguments: dict[str, object] = {"prompt": "a" * 300, "heuristic": CLAA()} | given
    with pytest.raises(ValueError, match=re.escape(said)) as error:
        library.answer(tiny_model, byte_tokenizer, **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_the_longest_prompts_that_the_model_reads_are_answered(
    tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer
) -> None:
    """Up to what the config says, up to what is given instead, and beyond it only where the model has no table."""
    asked: Any = {"engine": Full(), "max_new_tokens": 4}
    assert len(library.answer(tiny_model, byte_tokenizer, "a" * 296, max_tokens=300, **asked).kept) == 296
    short = tiny_of("llama")  # reads 128 tokens
    given = Prompt("p", "prompts", tuple(n % 64 for n in range(140)), 4)
    with pytest.raises(ValueError, match="p has 140 tokens and its answer up to 4, and the model reads 128 in all"):
        library.answer(short, byte_tokenizer, given, engine=Full())
    assert len(library.answer(short, byte_tokenizer, given, engine=Full(), max_tokens=144).kept) == 140
    with pytest.raises(ValueError, match="max_tokens is 144, must be at most 128: GPT2LMHeadModel has a table"):
        library.answer(tiny_of("gpt2"), byte_tokenizer, given, engine=Full(), max_tokens=144)


def test_full_prefill_may_be_named(tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer) -> None:
    named = library.answer(tiny_model, byte_tokenizer, TEXTS[0], engine=Full(), max_new_tokens=4)
    assert named == library.answer(tiny_model, byte_tokenizer, TEXTS[0], max_new_tokens=4)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no run folder"):
        library.load(tmp_path)


def test_the_import_alone_loads_neither_torch_nor_transformers() -> None:
    said = "import sys, tokenrank; print(dir(tokenrank)); print({'torch', 'transformers', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    names, loaded = done.stdout.splitlines()
    assert loaded == "set()"
    assert all(repr(name) in names for name in ("rank", "answer", "load"))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'tokenrank' has no attribute 'rnak'"):
        library.rnak  # noqa: B018


def test_type_checkers_are_told_that_there_are_types() -> None:
    assert (Path(library.__path__[0]) / "py.typed").is_file()
