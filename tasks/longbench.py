"""LongBench: real documents and questions, from the hub, a folder of its files or its data.zip."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.models.weight_files import user_path
from tokenrank.tasks.choosing import drawn_rows
from tokenrank.tasks.grading.longbench_metrics import GRADING, best_grade
from tokenrank.tasks.longbench_files import archive_rows, download, folder_rows, read_templates
from tokenrank.tasks.task import Prompt, Task, check_answer_tokens, check_answers, check_id, check_positive, check_seed
from tokenrank.tasks.tokens import fitted

TEMPLATES = "github://THUDM:LongBench@f6227eb7a25cacbd96310aea2c59af003f8d8925/config"  # of LongBench's own repository


@dataclass(frozen=True)
class LongBench(Task):
    """Prompts of LongBench's subsets, worded by its own templates.

    A prompt that is too long is truncated in the middle. LongBench cuts the text before the chat template is put around
    it; here the tokens of the whole prompt are cut, which leaves the template at both ends and hits the limit exactly.
    LongBench also ends a samsum answer at its first line break; here it goes on, and the grade sees the first line only.

    Source: Bai et al. 2023, https://arxiv.org/abs/2308.14508.
    """

    grades_answers: ClassVar[bool] = True

    subset: list[str]  # names of subsets: qasper, hotpotqa, ...
    path: str | None = None  # folder of SUBSET.jsonl, or LongBench's data.zip; None: data.zip of the hub
    repository: str = "THUDM/LongBench"  # data set of the hub that holds data.zip
    revision: str = "main"  # branch, tag or commit of that data set
    templates: str | None = None  # folder or URL of the two template files; None: folder ``path``, else LongBench's own
    samples: int | None = None  # prompts in all, spread evenly over the subsets; None: every row
    seed: int = 0  # which rows
    max_tokens: int | None = None  # longer prompts are cut in the middle; None: at what the model can read
    chat_template: bool = True
    without_chat_template: list[str] = field(default_factory=list)  # subsets that LongBench runs as bare text

    def __post_init__(self) -> None:
        if not self.subset:
            raise ValueError("task.subset is empty, must name at least one subset of LongBench")
        for subset in self.subset:
            check_id("task.subset", subset)
        check_seed(self.seed)
        check_positive("task.samples", self.samples)
        check_positive("task.max_tokens", self.max_tokens)

    def prompts(self, tokenizer: Tokenizer, max_tokens: int) -> list[Prompt]:
        """Prompts in the order of the subsets, then of the rows; a row's id is its subset and its number from 0."""
        place = None if self.path is None else user_path("task.path", self.path)
        folder = None if self.path is None or self.path.endswith(".zip") else place
        if folder is not None and not folder.is_dir():
            raise ValueError(f"task.path is {self.path!r}, and there is no such folder")
        templates = read_templates(self.templates or (str(folder) if folder else TEMPLATES), self.subset)
        place = place or Path(download(self.repository, self.revision))
        rows_of = folder_rows if folder else archive_rows
        tables = {subset: rows_of(place, subset) for subset in self.subset}
        return [
            self._prompt(subset, number, tables[subset][number], *templates[subset], tokenizer, max_tokens)
            for subset, number in drawn_rows(
                {subset: len(rows) for subset, rows in tables.items()}, self.samples, self.seed
            )
        ]

    def grade(self, prompt: Prompt, answer: str) -> float | None:
        """LongBench's metric of the prompt's subset, best over the reference answers, in [0, 1].

        None for a subset that LongBench has no English metric for, and for a prompt without reference answers.
        """
        grading = GRADING.get(prompt.task.removeprefix("longbench/"))
        if grading is None or not prompt.answers:
            return None
        return best_grade(grading, answer, prompt.answers, prompt.classes)

    def _prompt(
        self,
        subset: str,
        number: int,
        row: dict[str, Any],
        template: str,
        new_tokens: int,
        tokenizer: Tokenizer,
        max_tokens: int,
    ) -> Prompt:
        name = f"{subset}_{number}"
        for part in ("context", "input"):
            if not isinstance(row[part], str):
                raise ValueError(f"row {name} of LongBench: {part} is {row[part]!r}, must be a text")
        check_answers(f"row {name} of LongBench", row["answers"])
        check_answer_tokens(name, new_tokens, max_tokens)
        text = template.format(context=row["context"], input=row["input"])
        as_chat = self.chat_template and subset not in self.without_chat_template
        limit = min(max_tokens - new_tokens, self.max_tokens or max_tokens)
        ids, cut = fitted(tokenizer, text, as_chat=as_chat, limit=limit)
        prompt = Prompt(
            id=name,
            task=f"longbench/{subset}",
            input_ids=ids,
            max_new_tokens=new_tokens,
            answers=tuple(row["answers"]),
            classes=_classes(name, row, needed=subset in GRADING and GRADING[subset].classes),
            cut_tokens=cut,
        )
        try:
            self.grade(prompt, "")  # a row that cannot be graded is known before anything runs
        except ValueError as error:
            raise ValueError(f"row {name} of LongBench: {error}") from None
        return prompt


def _classes(name: str, row: dict[str, Any], *, needed: bool) -> tuple[str, ...]:
    """The row's ``all_classes``, which are null or absent in a subset that needs none."""
    classes = row.get("all_classes")
    if classes is None and not needed:
        return ()
    texts = isinstance(classes, list) and all(isinstance(each, str) for each in classes)
    if classes is None or not texts or (needed and not classes):
        raise ValueError(f"row {name} of LongBench: all_classes is {classes!r}, must be a list of the classes' names")
    return tuple(classes)
