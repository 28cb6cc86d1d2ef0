"""A plan names its model, prompts and rankings, and says which answer is fed."""

from tests.plans import plan
from tokenrank.evaluation.plan import REFERENCE, reference_answer
from tokenrank.oracle.oracle import Answer
from tokenrank.tasks.task import Prompt

PROMPT = Prompt("p", "test", (1, 2, 3), 2, answers=("abc", "other"))


def test_names_are_those_of_the_tables() -> None:
    made = plan("heuristic=[claa,oracle,tova]", "model.name=small")
    assert made.model_name == "small"
    assert made.rankings == ["claa", "oracle", "tova"]  # as chosen, the bound among them
    assert made.prompts == [unit.prompt for unit in made.units]
    assert [unit.name for unit in made.units] == [prompt.id for prompt in made.prompts]


def test_a_generated_answer_is_known_only_later() -> None:
    made = plan()
    assert [made.given_answer(each) for each in made.prompts] == [None, None]


def test_the_reference_is_the_first_one_cut_at_the_prompts_limit() -> None:
    tokenizer = plan().tokenizer
    ids = tuple(tokenizer("ab", add_special_tokens=False)["input_ids"])
    assert reference_answer(tokenizer, PROMPT) == Answer(ids, REFERENCE)
