"""Settings of the chat template in the configs: arguments of the model and of the task, the date, lengths of answers."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tests.plans import CONFIGS, composed, plan
from tokenrank.models import tiny

RENDERING = [
    "niah",
    "niah_short",
    "ruler",
    "ruler_data",
    "longbench",
    "longbench_paper",
    "longbench_short",
    "prompts",
]  # tasks that render messages
THINKING = "{% if enable_thinking is defined and enable_thinking is false %}<no thinking>{% endif %}"


@pytest.fixture
def thinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny model has a template that thinks unless told not to."""
    monkeypatch.setattr(tiny, "TEMPLATE", tiny.TEMPLATE + THINKING)


def ends(*overrides: str) -> set[str]:
    """The last letters of a run's prompts."""
    made = plan(*overrides)
    return {str(made.tokenizer.decode(list(prompt.input_ids)))[-13:] for prompt in made.prompts}


def template(*overrides: str) -> object:
    given = OmegaConf.to_container(composed(*overrides), resolve=True)
    assert isinstance(given, dict)
    return given["task"]["template"]


def test_every_task_config_that_renders_has_the_settings() -> None:
    others = {file.stem for file in (CONFIGS / "task").glob("*.yaml")} - set(RENDERING)
    assert others == {"random_tokens"}
    for name in RENDERING:
        node = composed(f"task={name}").task
        assert {"template", "date", "max_new_tokens"} <= set(node)
        assert node.date == "2024-07-26"


@pytest.mark.parametrize("task", RENDERING)
def test_a_task_takes_the_arguments_of_the_model_unless_it_has_its_own(task: str) -> None:
    assert template("model=qwen3", f"task={task}") == {"enable_thinking": False}
    assert template("model=qwen3", f"task={task}", "task.template={enable_thinking: true}") == {"enable_thinking": True}
    assert template("model=qwen3", f"task={task}", "model.template.enable_thinking=true") == {"enable_thinking": True}
    assert template("model=qwen3", f"task={task}", "model.template=null") is None
    assert template("model=tiny", f"task={task}") is None


def test_every_model_config_has_the_setting_and_qwen3_switches_thinking_off() -> None:
    for file in sorted((CONFIGS / "model").glob("*.yaml")):
        found = OmegaConf.load(file).template
        assert found == ({"enable_thinking": False} if file.stem == "qwen3" else None)
    assert "thinking switched off" in Path(CONFIGS / "model" / "qwen3.yaml").read_text().splitlines()[0]


@pytest.mark.usefixtures("thinking")
def test_the_arguments_reach_the_prompts_of_a_run() -> None:
    assert ends() == {"r><assistant>"}
    assert ends("task.template={enable_thinking: false}") == {"<no thinking>"}
    assert ends("model.template={enable_thinking: false}") == {"<no thinking>"}
    assert ends("model.template={enable_thinking: false}", "task.template=null") == {"r><assistant>"}


def test_an_argument_that_the_models_template_does_not_read_ends_the_run() -> None:
    wanted = r"task\.template \(or model\.template\) sets enable_thinking, which it does not read; it reads none"
    for setting in ("task.template={enable_thinking: false}", "model.template={enable_thinking: false}"):
        with pytest.raises(ValueError, match=wanted):
            plan(setting)


@pytest.mark.parametrize("value", ["[a]", "3", "text"])
def test_arguments_must_be_a_mapping(value: str) -> None:
    with pytest.raises(ValueError, match=r"task\.template is .*, must be a mapping or null"):
        plan(f"task.template={value}")


def test_the_authors_prefill_runs_their_protocol_of_longbench() -> None:
    node = composed("experiment=paper_prefill").task
    assert (node.protocol, node.max_tokens, len(node.subset)) == ("paper", 127500, 16)
    assert "protocol" not in composed("experiment=paper_prefill", "task=niah").task
    other = {"protocol": "tokenrank", "max_tokens": None}
    assert {**node, **other} == composed("model=llama3", "task=longbench").task  # all else is the same


def test_a_date_must_be_a_day() -> None:
    with pytest.raises(ValueError, match=r"task\.date is 'today', must be a day as in 2024-07-26"):
        plan("task.date=today")
