"""OwnPrompts: how a line becomes a prompt, which lines are chosen, and which are refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.tasks.tokenizers_of_kinds import KINDS
from tokenrank.tasks.prompts import OwnPrompts
from tokenrank.tasks.task import Prompt

LONG = "".join(f"{number:04d} " for number in range(100))  # 500 bytes, every five of them different


def row(**fields: Any) -> dict[str, Any]:
    return {"id": "a", "prompt": "Why?"} | fields


def numbered(count: int) -> list[dict[str, Any]]:
    return [row(id=str(number)) for number in range(count)]


def task(tmp_path: Path, rows: list[dict[str, Any]], **settings: Any) -> OwnPrompts:
    file = tmp_path / "own.jsonl"
    file.write_text("\n".join(json.dumps(each) for each in rows))
    return OwnPrompts(path=str(file), **settings)


def ids(prompts: list[Prompt]) -> list[str]:
    return [prompt.id for prompt in prompts]


def test_the_text_is_final_unless_the_line_asks_for_the_chat_template(
    tmp_path: Path, byte_tokenizer: Tokenizer
) -> None:
    rows = [row(id=1), row(id="b", chat_template=True), row(id="c", chat_template=False)]
    prompts = task(tmp_path, rows).prompts(byte_tokenizer, 1000)
    texts = {prompt.id: byte_tokenizer.decode(list(prompt.input_ids)) for prompt in prompts}
    assert texts == {"1": "Why?", "b": "<user>Why?</user><assistant>", "c": "Why?"}


@pytest.mark.parametrize("kind", KINDS)
def test_control_tokens_are_those_of_a_final_text_and_text_in_a_message(tmp_path: Path, kind: str) -> None:
    tokenizer = KINDS[kind]()
    control = set(tokenizer.added_tokens_decoder)
    turns = [{"role": "user", "content": "Why?"}]
    rendered = str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    wanted = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    rows = [
        row(id="a", prompt=rendered),
        row(id="b", prompt=rendered, chat_template=True),
        row(id="c", chat_template=True),
    ]
    final, quoted, message = task(tmp_path, rows).prompts(tokenizer, 1000)
    if kind not in ("adds_eos", "llama3_without_bos_in_template"):  # these add a token to a text that begins with none
        assert list(final.input_ids) == wanted
    assert list(message.input_ids) == wanted
    assert [token for token in quoted.input_ids if token in control] == [token for token in wanted if token in control]


def test_arguments_reach_the_template(tmp_path: Path) -> None:
    tokenizer = KINDS["qwen3"]()
    (off,) = task(tmp_path, [row(chat_template=True)], template={"enable_thinking": False}).prompts(tokenizer, 1000)
    assert str(tokenizer.decode(list(off.input_ids))).endswith("<think>\n\n</think>\n\n")


def test_what_a_line_says_is_kept(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    rows = [row(), row(id="b", answers=["x", "y"], max_new_tokens=7)]
    plain, full = task(tmp_path, rows, max_new_tokens=50).prompts(byte_tokenizer, 1000)
    assert (plain.answers, plain.max_new_tokens, plain.cut_tokens, plain.needle) == ((), 50, 0, None)
    assert (full.answers, full.max_new_tokens, full.task) == (("x", "y"), 7, "prompts")


@pytest.mark.parametrize(
    ("max_tokens", "readable", "kept"),
    [(None, 1000, 500), (None, 300, 300 - 64), (100, 1000, 100), (100, 150, 150 - 64), (600, 1000, 500)],
)
def test_too_long_a_prompt_is_cut_in_the_middle_and_says_so(
    tmp_path: Path, byte_tokenizer: Tokenizer, max_tokens: int | None, readable: int, kept: int
) -> None:
    (prompt,) = task(tmp_path, [row(prompt=LONG)], max_tokens=max_tokens).prompts(byte_tokenizer, readable)
    assert (len(prompt.input_ids), prompt.cut_tokens) == (kept, len(LONG) - kept)
    assert byte_tokenizer.decode(list(prompt.input_ids)) == LONG[: kept // 2] + LONG[len(LONG) - (kept - kept // 2) :]


def test_room_is_left_for_the_answer_that_the_line_asks_for(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    (prompt,) = task(tmp_path, [row(prompt=LONG, max_new_tokens=90)]).prompts(byte_tokenizer, 100)
    assert len(prompt.input_ids) == 10
    with pytest.raises(ValueError, match=r"max_new_tokens of prompt .* is 100, and the model reads 100"):
        task(tmp_path, [row(prompt=LONG, max_new_tokens=100)]).prompts(byte_tokenizer, 100)


def test_the_same_seed_chooses_the_same_prompts_and_another_others(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    rows = numbered(30)
    chosen = [ids(task(tmp_path, rows, samples=8, seed=seed).prompts(byte_tokenizer, 1000)) for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1]
    assert set(chosen[0]) != set(chosen[2])
    for each in chosen:
        assert len(set(each)) == 8
        assert each == sorted(each, key=int)  # the file's order


@pytest.mark.parametrize("samples", [None, 5, 6, 100])
def test_no_more_prompts_than_there_are_lines(tmp_path: Path, byte_tokenizer: Tokenizer, samples: int | None) -> None:
    prompts = task(tmp_path, numbered(5), samples=samples, seed=3).prompts(byte_tokenizer, 1000)
    assert ids(prompts) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("again", ["a", "b"])
def test_ids_must_be_unique(tmp_path: Path, byte_tokenizer: Tokenizer, again: str) -> None:
    rows = [row(id="a"), row(id="b"), row(id=again)]
    with pytest.raises(
        ValueError,
        match=f"own.jsonl, line 3: id '{again}' stands there twice, first in line {'ab'.index(again) + 1}; ids",
    ):
        task(tmp_path, rows).prompts(byte_tokenizer, 1000)


def test_a_number_and_its_digits_are_the_same_id(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="line 2: id '7' stands there twice, first in line 1"):
        task(tmp_path, [row(id=7), row(id="7")]).prompts(byte_tokenizer, 1000)


@pytest.mark.parametrize("name", ["", ".hidden", "..", "a/b", "../a", "a\\b", "a\0b"])
def test_ids_must_be_fit_for_a_file_name(tmp_path: Path, byte_tokenizer: Tokenizer, name: str) -> None:
    with pytest.raises(ValueError, match=f"own.jsonl, line 2: id {re.escape(repr(name))} must be fit"):
        task(tmp_path, [row(id="good"), row(id=name)]).prompts(byte_tokenizer, 1000)


@pytest.mark.parametrize("prompt", ["", None, 5, ["Why?"]])
def test_a_prompt_must_be_a_text(tmp_path: Path, byte_tokenizer: Tokenizer, prompt: Any) -> None:
    with pytest.raises(ValueError, match=r"own\.jsonl, line 2: the prompt of id 'b' is empty or not a text"):
        task(tmp_path, [row(), row(id="b", prompt=prompt)]).prompts(byte_tokenizer, 1000)


def test_a_line_without_a_prompt_is_named(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"own\.jsonl, line 2: lacks the field 'prompt'"):
        task(tmp_path, [row(), {"id": "b"}]).prompts(byte_tokenizer, 1000)


def test_a_prompt_without_id_is_called_by_its_line_whatever_is_chosen(
    tmp_path: Path, byte_tokenizer: Tokenizer
) -> None:
    """Blank lines count."""
    file = tmp_path / "own.jsonl"
    file.write_text("\n".join(f'{{"prompt": "{number}"}}\n' for number in range(20)))
    everything = {prompt.id: prompt for prompt in OwnPrompts(path=str(file)).prompts(byte_tokenizer, 1000)}
    assert list(everything) == [str(line) for line in range(1, 40, 2)]
    chosen = OwnPrompts(path=str(file), samples=5, seed=3).prompts(byte_tokenizer, 1000)
    assert chosen == [everything[prompt.id] for prompt in chosen]


@pytest.mark.parametrize(("setting", "line"), [(True, None), (None, True), (False, True), (True, False), (None, None)])
def test_a_line_comes_before_the_setting_of_the_chat_template(
    tmp_path: Path, byte_tokenizer: Tokenizer, setting: bool | None, line: bool | None
) -> None:
    fields = {} if line is None else {"chat_template": line}
    (prompt,) = task(tmp_path, [row(**fields)], chat_template=setting).prompts(byte_tokenizer, 1000)
    rendered = setting if line is None else line
    wanted = "<user>Why?</user><assistant>" if rendered else "Why?"
    assert byte_tokenizer.decode(list(prompt.input_ids)) == wanted


@pytest.mark.parametrize("kind", KINDS)
def test_the_setting_gives_the_very_tokens_of_apply_chat_template(tmp_path: Path, kind: str) -> None:
    tokenizer = KINDS[kind]()
    turns = [{"role": "user", "content": "Why is the box red?"}]
    wanted = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    rows = [row(prompt="Why is the box red?", question="Why is the box red?")]
    (prompt,) = task(tmp_path, rows, chat_template=True).prompts(tokenizer, 1000)
    assert list(prompt.input_ids) == wanted
    assert prompt.question is not None
    (final,) = task(tmp_path, rows, chat_template=False).prompts(tokenizer, 1000)
    assert final.input_ids != prompt.input_ids


@pytest.mark.parametrize(
    ("setting", "lines", "said"),
    [
        (None, [{}, {"chat_template": False}, {}], "note: 2 of 3 prompts of"),
        (None, [{"chat_template": True}, {"chat_template": False}], ""),
        (False, [{}, {}], ""),
        (True, [{}, {}], ""),
    ],
)
def test_a_template_that_goes_unused_is_noted_once_unless_that_was_said(
    tmp_path: Path,
    byte_tokenizer: Tokenizer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    setting: bool | None,
    lines: list[dict[str, Any]],
    said: str,
) -> None:
    rows = [row(id=str(number)) | line for number, line in enumerate(lines)]
    task(tmp_path, rows, chat_template=setting).prompts(byte_tokenizer, 1000)
    err = capsys.readouterr().err
    assert err.startswith(said)
    assert err.count("\n") == bool(said)
    monkeypatch.setattr(byte_tokenizer, "chat_template", None)
    if setting is None and not any(line.get("chat_template") for line in lines):
        task(tmp_path, rows).prompts(byte_tokenizer, 1000)
        assert capsys.readouterr().err == ""


def test_without_a_score_own_prompts_have_no_grade(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    own = task(tmp_path, [row(answers=["x"])])
    assert own.grade(own.prompts(byte_tokenizer, 1000)[0], "x") is None
    assert not own.grades_answers


@pytest.mark.parametrize(
    ("score", "said", "grade"),
    [
        ("contains", "it is a RED box", 1.0),
        ("contains", "it is blue", 0.0),
        ("exact", "The red box!", 1.0),
        ("exact", "the red box it is", 0.0),
        ("f1", "red door", 0.5),
        ("rouge_l", "red box", 1.0),
        ("rouge_l", "Red box", 0.5),
    ],
)
def test_a_score_grades_by_the_best_right_answer(
    tmp_path: Path, byte_tokenizer: Tokenizer, score: str, said: str, grade: float
) -> None:
    """By hand: of "red box" and "black", the first is the better one; ROUGE-L tells upper case apart."""
    own = task(tmp_path, [row(answers=["black", "red box"]), row(id="b")], score=score)
    graded, ungraded = own.prompts(byte_tokenizer, 1000)
    assert own.grades_answers
    assert own.grade(graded, said) == grade
    assert own.grade(ungraded, said) is None
    assert graded.task == f"prompts/{score}"


def test_a_score_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"task\.score is 'bleu', must be one of contains, f1, rouge_l, exact, or null"
    ):
        task(tmp_path, [row()], score="bleu")


@pytest.mark.parametrize(
    ("score", "answer"), [("f1", "?!"), ("exact", "the"), ("rouge_l", "."), ("contains", ""), ("contains", " \n")]
)
def test_a_right_answer_that_nothing_can_meet_is_refused(
    tmp_path: Path, byte_tokenizer: Tokenizer, score: str, answer: str
) -> None:
    rows = [row(answers=["red"]), row(id="b", answers=["red", answer])]
    with pytest.raises(ValueError, match=r"own\.jsonl, line 2, id 'b': no prediction can meet the answer"):
        task(tmp_path, rows, score=score).prompts(byte_tokenizer, 1000)
    assert len(task(tmp_path, rows).prompts(byte_tokenizer, 1000)) == 2


def test_a_score_without_any_answers_is_refused(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"task\.score is 'f1', and .*own\.jsonl has no answers to grade by"):
        task(tmp_path, [row(), row(id="b", answers=[])], score="f1").prompts(byte_tokenizer, 1000)


@pytest.mark.parametrize("samples", [0, -1])
def test_fewer_than_one_sample_is_refused(tmp_path: Path, byte_tokenizer: Tokenizer, samples: int) -> None:
    with pytest.raises(ValueError, match=f"task.samples is {samples}"):
        task(tmp_path, numbered(5), samples=samples).prompts(byte_tokenizer, 1000)


def test_fewer_than_one_token_is_refused(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"task\.max_tokens is 0"):
        task(tmp_path, [row(prompt=LONG)], max_tokens=0).prompts(byte_tokenizer, 1000)


@pytest.mark.parametrize("answers", ["42", 42, None, [42]])
def test_answers_must_be_a_list_of_texts(tmp_path: Path, byte_tokenizer: Tokenizer, answers: Any) -> None:
    with pytest.raises(ValueError, match=r"own\.jsonl, line 2, id 'b': the answers are"):
        task(tmp_path, [row(), row(id="b", answers=answers)]).prompts(byte_tokenizer, 1000)


@pytest.mark.parametrize(("field", "value"), [("max_new_tokens", "many"), ("chat_template", "false")])
def test_other_fields_must_have_their_type(tmp_path: Path, byte_tokenizer: Tokenizer, field: str, value: str) -> None:
    with pytest.raises(
        ValueError, match=f"own.jsonl, line 2: {field} of id 'b' is '{value}', must be (a whole number|true or false)"
    ):
        task(tmp_path, [row(), row(id="b", **{field: value})]).prompts(byte_tokenizer, 1000)


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "\x1b[0m", "a\u200bb"])
def test_ids_hold_no_control_characters(tmp_path: Path, byte_tokenizer: Tokenizer, name: str) -> None:
    with pytest.raises(ValueError, match=r"own\.jsonl, line 2: id .* no control or invisible characters"):
        task(tmp_path, [row(), row(id=name)]).prompts(byte_tokenizer, 1000)


@pytest.mark.parametrize("again", ["Größe", "gro\u0308ße", "GRÖSSE"])
def test_ids_must_differ_in_more_than_case_and_normalisation(
    tmp_path: Path, byte_tokenizer: Tokenizer, again: str
) -> None:
    with pytest.raises(
        ValueError,
        match=r"own\.jsonl, line 1 and .*own\.jsonl, line 2: ids 'größe' and .* must differ in more than case",
    ):
        task(tmp_path, [row(id="größe"), row(id=again)]).prompts(byte_tokenizer, 1000)


@pytest.mark.parametrize("name", [None, True, 1.5, [1], {"a": 1}])
def test_an_id_must_be_a_text_or_a_whole_number(tmp_path: Path, byte_tokenizer: Tokenizer, name: Any) -> None:
    with pytest.raises(ValueError, match=r"own\.jsonl, line 1: id .* must be a text or a whole number"):
        task(tmp_path, [row(id=name)]).prompts(byte_tokenizer, 1000)


def test_half_a_surrogate_pair_is_named_by_its_line(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"own\.jsonl, line 2: not valid JSON \(\\udc80 is half of a surrogate pair"):
        task(tmp_path, [row(id="a"), row(id="b", prompt="a\udc80")]).prompts(byte_tokenizer, 1000)


@pytest.mark.parametrize("tokens", [0, -1])
def test_an_answer_without_tokens_is_refused(tmp_path: Path, byte_tokenizer: Tokenizer, tokens: int) -> None:
    with pytest.raises(ValueError, match=rf"max_new_tokens of prompt .* is {tokens}, must be at least 1"):
        task(tmp_path, [row(max_new_tokens=tokens)]).prompts(byte_tokenizer, 1000)
    with pytest.raises(ValueError, match=rf"task\.max_new_tokens is {tokens}, must be at least 1"):
        task(tmp_path, [row()], max_new_tokens=tokens)


@pytest.mark.parametrize("chat_template", [True, False])
@pytest.mark.parametrize("limit", [None, 20])
def test_context_and_question_are_found_in_the_prompt(
    tmp_path: Path, byte_tokenizer: Tokenizer, limit: int | None, chat_template: bool
) -> None:
    """By bytes; cut in the middle, what is left of them."""
    text = "Why, if the box is red?\nThe box is red."
    parts = {"question": "Why, if the box is red?", "context": "The box is red."}
    line = row(prompt=text, chat_template=chat_template, **parts)
    (prompt,) = task(tmp_path, [line], max_tokens=limit).prompts(byte_tokenizer, 1000)
    whole = f"<user>{text}</user><assistant>" if chat_template else text
    kept = [*range(limit // 2), *range(len(whole) - limit // 2, len(whole))] if limit else list(range(len(whole)))
    for name, found in (("question", prompt.question), ("context", prompt.context)):
        start = whole.index(parts[name])
        wanted = [at for at, place in enumerate(kept) if start <= place < start + len(parts[name])]
        assert list(found or ()) == wanted
    (plain,) = task(tmp_path, [row(prompt=text)]).prompts(byte_tokenizer, 1000)
    assert (plain.context, plain.question) == (None, None)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"context": "box"}, "the prompt holds the context 'box' not at all, must hold it exactly once"),
        ({"question": "a"}, "the prompt holds the question 'a' several times, must hold it exactly once"),
        ({"context": "aa"}, "the prompt holds the context 'aa' several times, must hold it exactly once"),
        ({"context": ""}, "the context is '', must be a text that the prompt holds exactly once"),
        ({"question": 7}, "the question is 7, must be a text that the prompt holds exactly once"),
        ({"context": None}, "the context is None, must be a text"),
        (
            {"context": "b Why", "question": "Why?"},
            "the question 'Why[?]' overlaps the context, must stand outside of it",
        ),
    ],
)
def test_a_part_that_the_prompt_does_not_hold_once_is_refused(
    tmp_path: Path, byte_tokenizer: Tokenizer, fields: dict[str, Any], reason: str
) -> None:
    """'aaab Why?' holds 'aa' twice, if one begins inside the other. The control: parts beside each other are accepted."""
    line = row(prompt="aaab Why?", id="mine")
    with pytest.raises(ValueError, match=f"own.jsonl, line 1, id 'mine': {reason}"):
        task(tmp_path, [line | fields]).prompts(byte_tokenizer, 1000)
    (prompt,) = task(tmp_path, [line | {"context": "aaab ", "question": "Why?"}]).prompts(byte_tokenizer, 1000)
    assert (prompt.context, prompt.question) == (range(5), range(5, 9))
