"""Asks a server with OpenAI's completions interface for the greedy answer to a prompt."""

import logging
import os
import time
from dataclasses import dataclass, field
from typing import Any

import requests
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.task import Prompt
from tokenrank.tasks.tokens import added_tokens

KEY_VARIABLE = "TOKENRANK_API_KEY"
CONNECT = 10.0  # seconds
WAITS = (1.0, 5.0, 20.0)  # seconds before each further try
TRY_AGAIN = {408, 429, 500, 502, 503, 504}  # HTTP
NO_IDS = {400, 422}  # what servers that take no token ids answer
SHOWN = 300  # letters of a server's answer in a message
log = logging.getLogger("tokenrank")


class Unanswered(Exception):
    """The server answered, and not with an answer to the prompt."""


class Unreachable(Exception):
    """The server does not answer at all, or not in time."""


@dataclass
class Server:
    """A server with the interface; a key is read from the environment variable ``KEY_VARIABLE``.

    Prompts are sent as token ids, and to a server that takes none as texts.
    """

    url: str
    served: str | None = None  # the model's name there
    timeout: float = 600.0  # seconds for one answer
    _takes_ids: bool = field(default=True, init=False)  # until it turns out that it does not
    _reached: bool = field(default=False, init=False)  # it has answered once
    _session: requests.Session = field(default_factory=requests.Session, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"URL is {self.url!r}, must begin with http:// or https://")
        if not 0 < self.timeout < float("inf"):
            raise ValueError(f"--timeout is {self.timeout}, must be above 0 seconds")
        self.url = self.url.rstrip("/").removesuffix("/completions").removesuffix("/v1") + "/v1/completions"
        self._session.auth = _with_key  # else a password of ~/.netrc would be sent

    def answer(self, tokenizer: Tokenizer, prompt: Prompt) -> tuple[str, int | None]:
        """The answer's text, and its number of tokens where the server tells it.

        Args:
            tokenizer: the model's.
            prompt: its tokens that end the answer (``stop_ids``) are sent as texts; those that it may not begin with cannot be sent.

        Raises:
            Unanswered: the server refused, or said something else than an answer, or read another number of tokens than the prompt has.
            Unreachable: it cannot be reached, or takes longer than ``timeout``.
        """
        asked: dict[str, Any] = {"max_tokens": prompt.max_new_tokens, "temperature": 0}
        asked |= {} if self.served is None else {"model": self.served}
        asked |= {"stop": [tokenizer.decode([each]) for each in prompt.stop_ids]} if prompt.stop_ids else {}
        said = self._ask(asked | {"prompt": list(prompt.input_ids)}) if self._takes_ids else None
        if said is None or said.status_code in NO_IDS:
            by_text = self._ask(asked | {"prompt": prompt_text(tokenizer, prompt)})
            if said is not None and by_text.status_code == 200:
                log.info("note: the server takes no token ids (%s), texts are sent", _shown(said))
                self._takes_ids = False
            said = by_text
        if said.status_code != 200:
            raise Unanswered(f"{self.url} answered {said.status_code} ({_shown(said)}){_advice(said.status_code)}")
        return self._read(said, len(prompt.input_ids))

    def _ask(self, asked: dict[str, Any]) -> requests.Response:
        """The response, of a few tries where another one may help."""
        for wait in (*WAITS, None):
            try:
                said = self._session.post(self.url, json=asked, timeout=(CONNECT, self.timeout), allow_redirects=False)
            except requests.ReadTimeout as error:
                raise Unreachable(
                    f"{self.url} gave no answer within {self.timeout:g} seconds, see --timeout"
                ) from error
            except requests.RequestException as error:
                if wait is None or not self._reached:
                    raise Unreachable(f"{self.url} cannot be reached: {_cause(error)}") from error
                reason = _cause(error)
            else:
                self._reached = True
                if wait is None or said.status_code not in TRY_AGAIN:
                    return said
                reason = f"{said.status_code} ({_shown(said)})"
            log.info("%s: %s; trying again in %g seconds", self.url, reason, wait)
            time.sleep(wait)
        raise AssertionError  # the last try returns or raises

    def _read(self, said: requests.Response, tokens: int) -> tuple[str, int | None]:
        try:
            content = said.json()
            text, usage = content["choices"][0]["text"], content.get("usage") or {}
            read, made = usage.get("prompt_tokens"), usage.get("completion_tokens")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise Unanswered(f"{self.url} answered without a text in choices ({_shown(said)})") from error
        if read is not None and read != tokens:
            raise Unanswered(
                f"the server read {read} tokens, and the prompt has {tokens}: it has another tokenizer, adds special tokens of its own, or "
                "cuts the prompt"
            )
        if not isinstance(text, str) or not text:
            raise Unanswered("the server's answer is empty")
        return text, made if isinstance(made, int) else None


def prompt_text(tokenizer: Tokenizer, prompt: Prompt) -> str:
    """The text of which the tokenizer makes the prompt's ids, with the special tokens that it adds itself.

    Raises:
        Unanswered: there is none.
    """
    ids = list(prompt.input_ids)
    before, after = added_tokens(tokenizer)
    bare = ids[len(before) :] if ids[: len(before)] == before else ids
    bare = bare[: -len(after)] if after and bare[-len(after) :] == after else bare
    text = str(tokenizer.decode(bare, skip_special_tokens=False, clean_up_tokenization_spaces=False))
    if list(tokenizer(text, verbose=False)["input_ids"]) != ids:
        raise Unanswered("the server takes no token ids, and the tokenizer makes other ids of the prompt's text")
    return text


def _with_key(request: requests.PreparedRequest) -> requests.PreparedRequest:
    key = os.environ.get(KEY_VARIABLE)
    if key:
        request.headers["Authorization"] = f"Bearer {key}"
    return request


def _cause(error: BaseException) -> str:
    """The system's own words for what went wrong, which requests wraps several times."""
    while error.__context__ is not None:
        error = error.__context__
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__


def _shown(said: requests.Response) -> str:
    return " ".join(said.text[:SHOWN].split()) or "nothing"


def _advice(status: int) -> str:
    if status in (401, 403):
        return f": a key is read from {KEY_VARIABLE}"
    if status == 404:
        return ": it must have OpenAI's completions interface, chat alone is not enough, and --served must be one of its models"
    return ""
