"""Asking a server for answers: a real HTTP server on loopback, behind which the tiny model decodes greedily."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from scripts.answers import command
from tests.command import Command
from tests.plans import plan
from tokenrank.capture.reading import read
from tokenrank.evaluation.plan import Plan
from tokenrank.planning import completions
from tokenrank.planning.brought_answers import brought_answers
from tokenrank.planning.completions import KEY_VARIABLE, Server, Unanswered
from tokenrank.records.digests import ids_digest

SMALL = ("model=tiny", "task.lengths=[200]", "task.depths=[0,50,100]", "task.max_new_tokens=6", "store=null")
Reply = tuple[int, Any]  # HTTP status and content


@dataclass
class Served:
    """A server with the completions interface; what it was asked, and what it says instead of an answer."""

    model: PreTrainedModel
    tokenizer: Tokenizer
    takes_ids: bool = True
    adds: int = 0  # special tokens of its own
    instead: Callable[[int, dict[str, Any]], Reply | None] = lambda number, asked: None  # by the number of the request
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def reply(self, path: str, headers: dict[str, str], asked: dict[str, Any]) -> Reply:
        self.asked.append(asked)
        self.headers.append(headers)
        said = self.instead(len(self.asked), asked)
        if said is not None:
            return said
        if path != "/v1/completions":
            return 404, {"detail": "Not Found"}
        if isinstance(asked["prompt"], list) and not self.takes_ids:
            return 400, {"detail": "prompt must be a string."}
        ids = asked["prompt"] if isinstance(asked["prompt"], list) else self.tokenizer(asked["prompt"])["input_ids"]
        answer = read(self.model, torch.tensor(ids), lambda _: None, max_new_tokens=asked["max_tokens"]).answer_ids
        text = self.tokenizer.decode(answer, skip_special_tokens=True)
        usage = {"prompt_tokens": len(ids) + self.adds, "completion_tokens": len(answer)}
        return 200, {"choices": [{"index": 0, "text": text, "finish_reason": "length"}], "usage": usage}


class Quiet(ThreadingHTTPServer):
    """Waits for its answers when it ends, and says nothing where nobody waits for one."""

    daemon_threads = False

    def handle_error(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def served(tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The server, on a free port of this machine."""
    mine = Served(tiny_model, byte_tokenizer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, content = mine.reply(self.path, dict(self.headers), asked)
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", KEY_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(completions, "WAITS", (0.01, 0.01, 0.01))
    with Quiet(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        mine.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield mine
        server.shutdown()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new" / "answers.jsonl"


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@cache
def own_plan() -> Plan:
    """The plan of SMALL."""
    return plan(*SMALL)


@cache
def own_answers() -> dict[str, list[int]]:
    """The tiny model's answer to every prompt of SMALL, by its id."""
    model = own_plan().source.model()
    return {
        prompt.id: read(model, torch.tensor(prompt.input_ids), lambda _: None, max_new_tokens=6).answer_ids.tolist()
        for prompt in own_plan().prompts
    }


def failure(file: Path, url: str, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, list[str]]:
    """Exit code and what was said on stderr, without progress."""
    capsys.readouterr()
    code = command([str(file), url, *SMALL, *more])
    said = [
        line
        for line in capsys.readouterr().err.splitlines()
        if not line.startswith(("reading the", "making the", "note: "))
    ]
    return code, said


@pytest.mark.parametrize("takes_ids", [True, False])
def test_the_servers_greedy_answers_are_written(served: Served, file: Path, takes_ids: bool) -> None:
    served.takes_ids = takes_ids
    assert command([str(file), served.url, *SMALL]) == 0
    wanted = [list(prompt.input_ids) for prompt in own_plan().prompts]
    texts = [
        served.tokenizer.decode(own_answers()[prompt.id], skip_special_tokens=True) for prompt in own_plan().prompts
    ]
    assert lines(file) == [
        {"id": prompt.id, "answer": text, "input_ids_sha256": ids_digest(prompt.input_ids)}
        for prompt, text in zip(own_plan().prompts, texts, strict=True)
    ]
    sent = [asked["prompt"] for asked in served.asked]
    if takes_ids:
        assert sent == wanted
    else:
        assert sent == [wanted[0], *(served.tokenizer.decode(ids) for ids in wanted)]  # ids were tried once
    for asked in served.asked:
        assert {name: asked[name] for name in asked if name != "prompt"} == {"max_tokens": 6, "temperature": 0}


def test_the_file_is_what_a_run_takes(served: Served, file: Path, tokenrank: Command, no_pictures: None) -> None:
    def text(number: int, asked: dict[str, Any]) -> Reply:
        return 200, {"choices": [{"text": f"word {number}"}]}

    served.instead = text
    assert command([str(file), served.url, *SMALL]) == 0
    made = own_plan()
    expected = {prompt.id: tuple(f"word {n}".encode())[:6] for n, prompt in enumerate(made.prompts, start=1)}
    found = brought_answers(file, made.prompts, made.tokenizer)
    assert {name: made.tokenizer.decode(list(ids)) for name, ids in found.items()} == {
        name: bytes(ids).decode() for name, ids in expected.items()
    }
    ended = tokenrank(*SMALL, "metric=[recall]", f"answers={file}")
    assert ended.code == 0, ended.err


def test_what_the_file_has_is_not_asked_again(served: Served, file: Path) -> None:
    assert command([str(file), served.url, *SMALL]) == 0
    whole = file.read_bytes()
    assert len(served.asked) == 3
    assert command([str(file), served.url, *SMALL]) == 0
    assert len(served.asked) == 3
    file.write_bytes(whole[: whole.rfind(b"\n", 0, -1) + 20])  # killed in the last line
    assert command([str(file), served.url, *SMALL]) == 0
    assert len(served.asked) == 4
    assert file.read_bytes() == whole


def test_an_answer_of_another_prompt_is_refused(served: Served, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command([str(file), served.url, *SMALL]) == 0
    code, said = failure(file, served.url, capsys, "task.seed=7")
    assert code == 2
    (line,) = said
    assert line.startswith(f"error: {file}, answer to prompt niah_200_0_0: input_ids_sha256 is that of another prompt")
    assert len(served.asked) == 3


def test_a_key_and_a_model_are_sent_where_they_are_given(
    served: Served, file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert command([str(file), served.url, *SMALL, "task.depths=[0]"]) == 0
    assert "Authorization" not in served.headers[-1]
    monkeypatch.setenv(KEY_VARIABLE, "abc")
    assert command([str(file), f"{served.url}/v1/", "--served", "org/m", *SMALL, "task.depths=[0,50]"]) == 0
    assert len(served.asked) == 2
    assert served.headers[-1]["Authorization"] == "Bearer abc"
    assert served.asked[-1]["model"] == "org/m"


def test_tokens_that_end_the_answer_are_sent_as_texts(served: Served) -> None:
    prompt = own_plan().prompts[0]
    stops = type(prompt)(**vars(prompt) | {"stop_ids": tuple(served.tokenizer("\n.")["input_ids"])})
    Server(served.url).answer(served.tokenizer, stops)
    assert served.asked[-1]["stop"] == ["\n", "."]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_busy_server_is_asked_again(served: Served, file: Path, status: int) -> None:
    served.instead = lambda number, asked: (status, b"busy") if number in (1, 2, 5) else None
    assert command([str(file), served.url, *SMALL]) == 0
    assert len(served.asked) == 6
    assert len(lines(file)) == 3


def test_one_that_stays_busy_is_given_up_after_four_tries(
    served: Served, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served.instead = lambda number, asked: (503, {"error": "out of\nmemory"})
    code, said = failure(file, served.url, capsys)
    assert (code, len(served.asked), lines(file)) == (1, 4, [])
    assert said[-1] == f'prompt niah_200_0_0: {served.url}/v1/completions answered 503 ({{"error": "out of\\nmemory"}})'
    assert len(said) == 4


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        ((404, {"detail": "Not Found"}), '404 ({"detail": "Not Found"}): it must have OpenAI\'s completions interface, chat alone is not'),
        ((401, b"who are you?"), f"answered 401 (who are you?): a key is read from {KEY_VARIABLE}"),
        ((302, b""), "answered 302 (nothing)"),
        ((200, b"<html>hello</html>"), "answered without a text in choices (<html>hello</html>)"),
        ((200, b""), "answered without a text in choices (nothing)"),
        ((200, {"choices": []}), "answered without a text in choices"),
        ((200, {"choices": [{"message": {"content": "x"}}]}), "answered without a text in choices"),
        ((200, [1]), "answered without a text in choices"),
        ((200, {"choices": [{"text": ""}]}), "the server's answer is empty"),
        ((200, {"choices": [{"text": 5}]}), "the server's answer is empty"),
        ((200, {"choices": [{"text": "x"}], "usage": {"prompt_tokens": 201}}), "the server read 201 tokens, and the prompt has 200: "),
        ((400, {"error": "too long"}), 'answered 400 ({"error": "too long"})'),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_one_sentence(served: Served, reply: Reply, sentence: str) -> None:
    served.instead = lambda number, asked: reply
    with pytest.raises(Unanswered) as error:
        Server(served.url).answer(served.tokenizer, own_plan().prompts[0])
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_if_the_first_prompt_is_refused_the_others_are_not_asked(
    served: Served, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served.instead = lambda number, asked: (404, b"no such page")
    code, said = failure(file, served.url, capsys)
    assert (code, lines(file), len(served.asked)) == (1, [], 1)
    (line,) = said
    assert line.startswith(
        f"prompt niah_200_0_0: {served.url}/v1/completions answered 404 (no such page): it must have"
    )


def test_one_bad_prompt_does_not_stop_the_others(
    served: Served, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served.instead = lambda number, asked: (400, b"no") if number in (2, 3) else None  # ids, then the text
    code, said = failure(file, served.url, capsys)
    assert code == 1
    assert said == [f"prompt niah_200_50_0: {served.url}/v1/completions answered 400 (no)"]
    assert [line["id"] for line in lines(file)] == ["niah_200_0_0", "niah_200_100_0"]


def test_a_server_that_is_not_there_is_one_sentence(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = failure(file, "http://127.0.0.1:9", capsys)
    assert code == 1
    (line,) = said
    assert line.startswith("error: http://127.0.0.1:9/v1/completions cannot be reached: Connection refused")


def test_a_server_that_takes_too_long_is_one_sentence(
    served: Served, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def slowly(number: int, asked: dict[str, Any]) -> Reply | None:
        if number == 2:
            time.sleep(1)
        return None

    served.instead = slowly
    code, said = failure(file, served.url, capsys, "--timeout", "0.5")
    assert code == 1
    assert said == [
        f"error: {served.url}/v1/completions gave no answer within 0.5 seconds, see --timeout; the answers so far are kept, "
        "the same command goes on"
    ]
    assert len(lines(file)) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("localhost:1",), "URL is 'localhost:1', must begin with http:// or https://"),
        (("http://localhost:1", "--timeout", "0"), "--timeout is 0.0, must be above 0 seconds"),
        (("http://localhost:1", "nonsense=5"), "nonsense"),
        (("http://localhost:1", "answers=x.jsonl"), "answers is x.jsonl, must be null here"),
        (("http://localhost:1", "task=nope"), "task=nope is not known"),
    ],
)
def test_bad_input_is_one_sentence(
    file: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    code, said = failure(file, arguments[0], capsys, *arguments[1:])
    assert code == 2
    line = said[-1]
    assert said == [line]
    assert line.startswith("error: ")
    assert sentence in line
    assert not file.exists()


def test_a_note_counts_the_texts_that_are_not_the_servers_tokens(
    served: Served, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = {1: 6, 2: 7, 3: 8}  # tokens that the server made of texts of six: with an end token seven
    served.instead = lambda number, asked: (
        200,
        {"choices": [{"text": "sixsix"}], "usage": {"completion_tokens": made[number]}},
    )
    assert command([str(file), served.url, *SMALL]) == 0
    assert "note: 1 texts are tokenised to another number of tokens than the server made\n" in capsys.readouterr().err


def test_compare_says_which_answers_are_not_those_decoded_here(
    served: Served, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = dict(own_answers())
    _, second, third = answers
    answers[second] = [*answers[second][:2], answers[second][2] ^ 1, *answers[second][3:]]
    answers[third] = answers[third][:5]
    file.parent.mkdir()
    file.write_text("".join(json.dumps({"id": name, "token_ids": ids}) + "\n" for name, ids in answers.items()))
    assert command([str(file), served.url, "--compare", *SMALL]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"3 of 3 prompts have an answer in {file}",
        "1 of 3 answers have the tokens that are decoded here",
        f"prompt {second}: they differ at token 2 of 6 here and 6 in the file",
        f"prompt {third}: they differ at token 5 of 6 here and 5 in the file",
    ]
    assert served.asked == []
