"""Which names a chat template reads, so that an argument that it would ignore is refused."""

import inspect
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jinja2.meta
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from transformers import PreTrainedTokenizerBase as Tokenizer

GIVEN = (
    "raise_exception",
    "strftime_now",
    "messages",
    "tools",
    "documents",
    "add_generation_prompt",
)  # by transformers


class _Generation(Extension):
    """The block ``{% generation %}`` of chat templates, which marks the assistant's words."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def names_read(tokenizer: Tokenizer) -> frozenset[str]:
    """The names that the tokenizer's chat template looks up: its arguments, and what transformers gives every template.

    Raises:
        jinja2.TemplateError: it is no template.
    """
    return _names_read(tokenizer.get_chat_template())


@lru_cache(maxsize=16)
def _names_read(template: str) -> frozenset[str]:
    environment = ImmutableSandboxedEnvironment(extensions=[_Generation, "jinja2.ext.loopcontrols"])
    return frozenset(jinja2.meta.find_undeclared_variables(environment.parse(template)) - set(environment.globals))


def check_arguments(tokenizer: Tokenizer, arguments: Mapping[str, Any], reads: frozenset[str]) -> None:
    """Raises ValueError for an argument that the template does not read, or that transformers itself gives it."""
    reserved = {*GIVEN, *inspect.signature(tokenizer.apply_chat_template).parameters}
    known = sorted(reads - reserved - set(tokenizer.special_tokens_map))
    for name in arguments:
        if name not in known:
            raise ValueError(
                f"task.template (or model.template) sets {name}, which it does not read; it reads {', '.join(known) or 'none'}"
            )
