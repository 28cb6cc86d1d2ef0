"""RULER's published prompts, from the hub or a file."""

from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.models.weight_files import user_path
from tokenrank.tasks.chat import final_text
from tokenrank.tasks.choosing import drawn_rows
from tokenrank.tasks.grading.containing import any_found, share_found
from tokenrank.tasks.layout import final_layout
from tokenrank.tasks.parts import Parts
from tokenrank.tasks.ruler_needles import KIND, needles_of
from tokenrank.tasks.ruler_rows import file_rows, hub_rows
from tokenrank.tasks.task import Prompt, check_answer_tokens, check_id, check_positive, check_seed
from tokenrank.tasks.templated import Templated
from tokenrank.tasks.tokens import cut_middle


@dataclass(frozen=True)
class RulerData(Templated):
    """Rows of ``context``, ``question``, ``answer_prefix``, ``answer``, ``task`` and ``max_new_tokens``.

    Context and question are the user's message; the answer prefix starts the assistant's turn, or a new line where
    there is no chat template. A prompt that is too long is truncated in the middle. A prompt's context is the column of
    that name as it is: in the hub's data set it holds the instruction too. The evidence of a task with needles (niah_...) is the
    statements that hold the references, as far as they are not cut; other tasks have none.

    Source: Hsieh et al. 2024, https://arxiv.org/abs/2404.06654; the rows are those of the hub's data set simonjegou/ruler.
    """

    path: str | None = None  # a parquet, jsonl or csv file; None: the hub
    repository: str = "simonjegou/ruler"  # data set of the hub
    revision: str = "main"  # branch, tag or commit of that data set
    length: int = 4096  # which length of the data set: its configuration of that name
    split: str = "test"
    subset: list[str] | None = None  # some of the names in the column task; None: all
    samples: int | None = None  # prompts in all, spread evenly over the subsets; None: every row
    seed: int = 0  # which rows
    max_tokens: int | None = None  # longer prompts are cut in the middle; None: at what the model can read
    max_new_tokens: int | None = None  # tokens of the answer; None: as the row says
    chat_template: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.subset is not None and not self.subset:
            raise ValueError("task.subset is empty, must name at least one task of RULER, or be null for all")
        check_seed(self.seed)
        check_positive("task.samples", self.samples)
        check_positive("task.max_tokens", self.max_tokens)
        check_positive("task.max_new_tokens", self.max_new_tokens)

    def prompts(self, tokenizer: Tokenizer, max_tokens: int) -> list[Prompt]:
        """Prompts in the order of the subsets, then of the rows; an id is the subset and the row's number in it from 0."""
        rows = (
            hub_rows(self.repository, str(self.length), self.split, self.revision)
            if self.path is None
            else file_rows(user_path("task.path", self.path))
        )
        tables: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            tables.setdefault(row["task"], []).append(row)
        for name in self.subset or ():
            if name not in tables:
                raise ValueError(f"task.subset holds {name!r}, which the data lack; they have {', '.join(tables)}")
        sizes = {name: len(tables[name]) for name in self.subset or tables}
        return [
            self._prompt(name, number, tables[name][number], tokenizer, max_tokens)
            for name, number in drawn_rows(sizes, self.samples, self.seed)
        ]

    def grade(self, prompt: Prompt, answer: str) -> float:
        """Fraction of the references that the answer contains; for questions about documents (qa), 1 for any of them."""
        found = any_found if prompt.task.rpartition("/")[2].startswith("qa") else share_found
        return found(answer, prompt.answers)

    def _prompt(self, name: str, number: int, row: dict[str, Any], tokenizer: Tokenizer, max_tokens: int) -> Prompt:
        prompt_id, new_tokens = f"{name}_{number}", self.max_new_tokens or row["max_new_tokens"]
        check_id("RULER's column task", prompt_id)
        check_answer_tokens(prompt_id, new_tokens, max_tokens)
        limit = min(max_tokens - new_tokens, self.max_tokens or max_tokens)
        context, question, opening = row["context"], row["question"], row["answer_prefix"]
        message = context + question
        chat = self.chat() if self.chat_template else None
        final = final_text(tokenizer, message, chat=chat, opening=opening)
        layout = final_layout(tokenizer, final)
        evidence = needles_of(context, row["answer"]) if name.startswith(KIND) else ()
        whole, parts = layout.ids, Parts(range(len(context)), range(len(context), len(message)), evidence)
        ids, kept = cut_middle(whole, limit), layout.tokens(final.place(parts)).without_middle(len(whole), limit)
        return Prompt(
            id=prompt_id,
            task=f"ruler_data/{name}",
            input_ids=tuple(ids),
            max_new_tokens=new_tokens,
            answers=tuple(row["answer"]),
            cut_tokens=len(whole) - len(ids),
            context=kept.context,
            question=kept.question,
            evidence=kept.evidence,
        )
