"""The user's own prompts, from a jsonl, csv or parquet file."""

import random
import sys
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.models.weight_files import user_path
from tokenrank.tasks.chat import final_text
from tokenrank.tasks.evidence import evidence_of
from tokenrank.tasks.grading.own_scores import SCORES, best_score
from tokenrank.tasks.layout import final_layout, own_layout
from tokenrank.tasks.prompt_checks import check_rows, parts_of
from tokenrank.tasks.prompt_files import Row, prompt_rows
from tokenrank.tasks.task import Prompt, check_answer_tokens, check_at_least_one, check_positive, check_seed
from tokenrank.tasks.templated import Templated
from tokenrank.tasks.tokens import cut_middle


@dataclass(frozen=True)
class OwnPrompts(Templated):
    """One prompt a row: ``prompt``, and optionally what ``prompt_checks.OPTIONAL`` names.

    Without an ``id`` a prompt is called by the number of its line (jsonl) or row (csv, parquet; the first below the
    columns' names is 1), which does not depend on what ``samples`` chooses.
    ``context`` and ``question`` are texts that the prompt holds exactly once: the text that the question is about, and the question.
    ``evidence`` is a list of texts that the prompt holds exactly once, or of [start, end], characters of the prompt: what answers the question.
    A prompt that is put into the chat template is a message of the user, and names of control tokens in it are text. Any
    other is a final text, and names of control tokens in it are control tokens.
    """

    path: str  # the file: .jsonl, .csv (each also .gz) or .parquet
    samples: int | None = None  # how many prompts; None: all
    seed: int = 0  # which ones, if not all; they keep the file's order
    max_new_tokens: int = 64  # where a row does not say
    max_tokens: int | None = None  # longer prompts are cut in the middle; None: at what the model can read
    chat_template: bool | None = None  # where a row does not say; None: false, with a note if the model has a template
    score: str | None = None  # one of SCORES, by which answers are graded; None: they are not

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("task.samples", self.samples)
        check_positive("task.max_tokens", self.max_tokens)
        check_at_least_one("task.max_new_tokens", self.max_new_tokens)
        check_seed(self.seed)
        if self.score is not None and self.score not in SCORES:
            raise ValueError(f"task.score is {self.score!r}, must be one of {', '.join(SCORES)}, or null")

    @property
    def grades_answers(self) -> bool:
        """Whether a score was chosen."""
        return self.score is not None

    def prompts(self, tokenizer: Tokenizer, max_tokens: int) -> list[Prompt]:
        """The file's prompts, in its order."""
        path = user_path("task.path", self.path)
        rows = prompt_rows(path)
        check_rows(str(path), rows, self.score)
        if self.samples is not None:
            rows = [
                rows[i] for i in sorted(random.Random(self.seed).sample(range(len(rows)), min(self.samples, len(rows))))
            ]
        final = [row for row in rows if row.fields.get("chat_template", self.chat_template) is None]
        if final and tokenizer.chat_template:
            print(
                f"note: {len(final)} of {len(rows)} prompts of {path} do not go into the model's chat template: "
                "task.chat_template=true puts them there, false says that their texts are final",
                file=sys.stderr,
            )
        made = [self._prompt(row, tokenizer, max_tokens) for row in rows]
        lost = [missing for _, missing in made if missing]
        if lost:
            print(
                f"note: {sum(lost)} pieces of evidence of {len(lost)} of {len(rows)} prompts of {path} are not in the prompts as the model reads "
                "them, and do not count: they were cut out of the middle, if only in part (task.max_tokens), or the chat template repeats the prompt",
                file=sys.stderr,
            )
        return [prompt for prompt, _ in made]

    def grade(self, prompt: Prompt, answer: str) -> float | None:
        """The chosen score, best over the prompt's right answers, in [0, 1]; None without a score or right answers."""
        return best_score(self.score, answer, prompt.answers) if self.score and prompt.answers else None

    def _prompt(self, row: Row, tokenizer: Tokenizer, max_tokens: int) -> tuple[Prompt, int]:
        """A row's prompt, and how many pieces of its evidence are not in it."""
        fields: dict[str, Any] = {"id": row.number, "max_new_tokens": self.max_new_tokens} | row.fields
        text, new_tokens = fields["prompt"], fields["max_new_tokens"]
        check_answer_tokens(str(fields["id"]), new_tokens, max_tokens)
        limit = min(max_tokens - new_tokens, self.max_tokens or max_tokens)
        parts = parts_of(fields)
        if fields.get("chat_template", self.chat_template):
            final = final_text(tokenizer, text, chat=self.chat())
            layout, parts = final_layout(tokenizer, final), final.place(parts)
        else:
            layout = own_layout(tokenizer, text)
        whole = layout.ids
        ids, found = cut_middle(whole, limit), layout.tokens(parts)
        kept = found.without_middle(len(whole), limit)
        prompt = Prompt(
            id=str(fields["id"]),
            task=f"prompts/{self.score}" if self.score else "prompts",
            input_ids=tuple(ids),
            max_new_tokens=new_tokens,
            answers=tuple(fields.get("answers", ())),
            cut_tokens=len(whole) - len(ids),
            context=kept.context,
            question=kept.question,
            evidence=kept.evidence,
        )
        return prompt, len(found.evidence or evidence_of(fields)) - len(kept.evidence)
