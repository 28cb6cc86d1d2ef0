"""What a process that measures must agree on with the one that started the run, and how its messages travel."""

import json
import logging
from dataclasses import asdict, replace

import pytest

from tests.plans import plan
from tokenrank.work.worker import Job, check_same, messages_kept, say

log = logging.getLogger("tokenrank")


def test_a_job_survives_json_and_the_same_config_gives_the_same_units() -> None:
    made = plan("task.lengths=[300,310]")
    job = Job(**json.loads(json.dumps(asdict(Job.of(made, made.units[1:], threads=3)))))
    assert job.threads == 3
    assert list(job.keys) == [unit.name for unit in made.units[1:]]
    check_same(made, job)


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"source": "another digest", "model": {}}, "(model, source differ)"), ({}, "(prompt niah_300_0_0 differs)")],
)
def test_a_machine_that_would_measure_other_things_is_refused_with_what_differs(
    fields: dict[str, object], said: str
) -> None:
    made = plan("task.depths=[0]", "task.lengths=[300]")
    job = Job.of(made, made.units, threads=1)
    other = replace(job, keys={"niah_300_0_0": "another key"}, key_fields=dict(job.key_fields) | fields)
    with pytest.raises(ValueError, match="would measure other things than the process that started the run") as raised:
        check_same(made, other)
    assert said in str(raised.value)


def test_messages_of_another_process_are_said_here_with_level_and_traceback(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "propagate", True)  # a command in this process, as of other tests, turns it off
    with messages_kept() as kept:
        log.info("%d done", 3)
        try:
            raise RuntimeError("it broke")
        except RuntimeError:
            log.exception("failed")
    assert caplog.records == []
    with caplog.at_level("DEBUG", logger="tokenrank"):
        say(json.loads(json.dumps(kept)))
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [("INFO", "3 done"), ("ERROR", "failed")]
    assert "RuntimeError: it broke" in str(caplog.records[1].exc_text)
