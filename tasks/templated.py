"""Settings of every task that puts its messages into the model's chat template."""

from dataclasses import dataclass
from typing import Any

from tokenrank.tasks.chat import DATE, Chat
from tokenrank.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class Templated(Task):
    """A task that renders its messages."""

    template: dict[str, Any] | None = None  # arguments of the chat template, as {enable_thinking: false}
    date: str = DATE  # YYYY-MM-DD: what a chat template with a clock says

    def __post_init__(self) -> None:
        self.chat()

    def chat(self) -> Chat:
        """What the model's chat template is given."""
        return Chat(self.template or {}, self.date)
