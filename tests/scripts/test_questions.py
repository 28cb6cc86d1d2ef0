"""scripts/questions.py: its prompts are what task=prompts reads, and each question has its answer in its document."""

from pathlib import Path

from transformers import PreTrainedTokenizerBase as Tokenizer

from scripts.questions import QUESTIONS, ROOT, main
from tokenrank.tasks.prompts import OwnPrompts


def test_each_document_is_the_context_of_its_question(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    main(tmp_path / "questions.jsonl")
    own = OwnPrompts(path=str(tmp_path / "questions.jsonl"), score="contains")
    prompts = own.prompts(byte_tokenizer, 10**6)
    assert len(prompts) == len(QUESTIONS)
    for prompt, (document, question, answers) in zip(prompts, QUESTIONS, strict=True):
        text = (ROOT / document).read_text(encoding="utf-8")
        ids = list(prompt.input_ids)
        assert prompt.context is not None
        assert byte_tokenizer.decode(ids[prompt.context.start : prompt.context.stop]) == text
        assert prompt.question is not None
        assert byte_tokenizer.decode(ids[prompt.question.start : prompt.question.stop]) == question
        assert any(answer in text for answer in answers)
        assert own.grade(prompt, f"It is {answers[0].upper()}.") == 1
