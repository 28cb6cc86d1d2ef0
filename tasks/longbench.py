"""LongBench: real documents and questions, from the hub, a folder of its files or its data.zip."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.models.weight_files import user_path
from tokenrank.tasks.chat import final_text
from tokenrank.tasks.choosing import drawn_rows
from tokenrank.tasks.grading.longbench_metrics import GRADING, best_grade
from tokenrank.tasks.longbench_files import archive_rows, download, folder_rows, read_templates
from tokenrank.tasks.longbench_protocol import PROTOCOLS
from tokenrank.tasks.parts import Parts, worded
from tokenrank.tasks.task import Prompt, check_answer_tokens, check_answers, check_id, check_positive, check_seed
from tokenrank.tasks.templated import Templated

COMMIT = "f77be4c3e82dc6fadaab548066b85edfc9227fd1"  # of 2023, with the templates of all 21 subsets
TEMPLATES = f"github://THUDM:LongBench@{COMMIT}/config"  # of LongBench's own repository


@dataclass(frozen=True)
class LongBench(Templated):
    """Prompts of LongBench's subsets, worded by its own templates.

    A prompt that is too long loses its middle. ``protocol`` says where it is cut and how answers are decoded:

    - tokenrank: the tokens of the whole prompt are cut, which leaves the chat template at both ends and hits the limit
      exactly. Answers are as long as the template files say.
    - longbench, as LongBench's pred.py: the worded text is tokenised with the special tokens that the tokenizer adds; beyond the
      limit its first and last half limit of tokens are turned back into text, and the chat template is put around that.
      A samsum answer does not begin with a line break or the end token, and ends at its first line break.
    - paper, as the code of arXiv:2602.16054: the same cut, special tokens not counted; trec's answers have 4 tokens; samsum's
      go on after a line break.

    In all three special tokens stand once (both codes tokenise a rendered template with a second BOS), names of
    control tokens in documents are text, and the grade of samsum sees the first line only.

    Source: Bai et al. 2023, https://arxiv.org/abs/2308.14508.
    """

    subset: list[str]  # names of subsets: qasper, hotpotqa, ...
    path: str | None = None  # folder of SUBSET.jsonl, or LongBench's data.zip; None: data.zip of the hub
    repository: str = "THUDM/LongBench"  # data set of the hub that holds data.zip
    revision: str = "main"  # branch, tag or commit of that data set
    templates: str | None = None  # folder or URL of the two template files; None: folder ``path``, else LongBench's own
    samples: int | None = None  # prompts in all, spread evenly over the subsets; None: every row
    seed: int = 0  # which rows
    max_tokens: int | None = None  # longer prompts are cut in the middle; None: at what the model can read
    max_new_tokens: int | None = None  # tokens of the answer; None: each subset's own
    protocol: str = "tokenrank"  # one of PROTOCOLS
    chat_template: bool = True
    without_chat_template: list[str] = field(default_factory=list)  # subsets that LongBench runs as bare text

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"task.protocol is {self.protocol!r}, must be one of {', '.join(PROTOCOLS)}")
        if not self.subset:
            raise ValueError("task.subset is empty, must name at least one subset of LongBench")
        for subset in self.subset:
            check_id("task.subset", subset)
        check_seed(self.seed)
        check_positive("task.samples", self.samples)
        check_positive("task.max_tokens", self.max_tokens)
        check_positive("task.max_new_tokens", self.max_new_tokens)

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
        protocol = PROTOCOLS[self.protocol]
        new_tokens = self.max_new_tokens or protocol.lengths.get(subset, new_tokens)
        check_answer_tokens(name, new_tokens, max_tokens)
        text, places = worded(template, context=row["context"], input=row["input"])
        chat = self.chat() if self.chat_template and subset not in self.without_chat_template else None
        room = max_tokens - new_tokens
        finish, limit = partial(final_text, tokenizer, chat=chat), min(room, self.max_tokens or room)
        parts = Parts(places.get("context"), places.get("input"))
        ids, parts, cut = protocol.prompt_ids(tokenizer, text, parts, finish, limit, room)
        stop_ids, not_first_ids = protocol.stops(tokenizer, subset)
        prompt = Prompt(
            id=name,
            task=f"longbench/{subset}",
            input_ids=tuple(ids),
            max_new_tokens=new_tokens,
            answers=tuple(row["answers"]),
            classes=_classes(name, row, needed=subset in GRADING and GRADING[subset].classes),
            cut_tokens=cut,
            context=parts.context,
            question=parts.question,
            stop_ids=stop_ids,
            not_first_ids=not_first_ids,
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
