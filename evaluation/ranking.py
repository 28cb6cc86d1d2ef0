"""How well do rankings agree with the oracle, layer by layer? One pass over each prompt answers it for all heuristics."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from tokenrank.evaluation.between import BetweenLayers
from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.evaluation.folder import METRIC_COLUMNS, SAMPLE_COLUMNS, begin, facts, reason, table
from tokenrank.evaluation.measuring import Measured, measure_prompt
from tokenrank.evaluation.preparation import Experiment
from tokenrank.evaluation.scoring import as_tensors, rank
from tokenrank.evaluation.statistics import over_samples
from tokenrank.records.writing import write_table, write_tensors
from tokenrank.tasks.task import Prompt


@dataclass(frozen=True)
class RankingAgreement(Evaluation):
    """Every metric of every chosen heuristic at every layer."""

    def run(self, experiment: Experiment, folder: Path) -> int:
        """Fills metrics.parquet, samples.parquet and, where asked for, the rankings."""
        config = experiment.config
        begin(experiment, folder)
        samples: list[dict[str, Any]] = []
        rows: list[tuple[Any, ...]] = []
        between = BetweenLayers()
        total = sum(len(prompt.input_ids) for prompt in experiment.prompts)
        with tqdm(total=total, unit=" tokens", unit_scale=True, smoothing=0.1, dynamic_ncols=True) as bar:
            for number, prompt in enumerate(experiment.prompts, start=1):
                bar.set_description(f"{number - 1} of {len(experiment.prompts)} prompts")
                sample, measured = _one(experiment, prompt, folder)
                samples.append(sample)
                if measured is not None:
                    rows += [(experiment.model_name, prompt.task, prompt.id, *row) for row in measured.rows]
                    between.add(measured)
                bar.update(len(prompt.input_ids))
            bar.set_description(f"{len(samples)} of {len(samples)} prompts")
        rows += [(experiment.model_name, None, None, *row) for row in between.rows()]
        metrics, sample_table = table(rows, METRIC_COLUMNS), table(samples, SAMPLE_COLUMNS)
        metrics = pd.concat(
            [metrics, over_samples(metrics, config.seed, config.bootstrap.resamples)], ignore_index=True
        )
        write_table(folder / "samples.parquet", sample_table)
        write_table(folder / "metrics.parquet", metrics)
        return int((sample_table["status"] == "failed").sum())


def _one(experiment: Experiment, prompt: Prompt, folder: Path) -> tuple[dict[str, Any], Measured | None]:
    """One prompt: its row of samples.parquet, and what was measured of it (None if it failed)."""
    sample = facts(prompt)
    try:
        ranked = rank(
            experiment.model, prompt, experiment.heuristics, experiment.oracle, experiment.reference_answer(prompt)
        )
        started = time.perf_counter()
        measured = measure_prompt(experiment, prompt, ranked)
        metrics_seconds = time.perf_counter() - started
        if experiment.config.save_rankings:
            write_tensors(folder / "rankings" / f"{prompt.id}.safetensors", as_tensors(prompt, ranked))
        answer = experiment.tokenizer.decode(ranked.answer_ids, skip_special_tokens=True)
        outcome = {
            "answer_tokens": len(ranked.answer_ids),
            "answer": answer,
            "score": experiment.task.score(prompt, str(answer)) if experiment.oracle.answer == "generated" else None,
            "prefill_seconds": ranked.seconds["prefill"],
            "decode_seconds": ranked.seconds["decode"],
            "oracle_seconds": ranked.seconds["oracle"],
            "metrics_seconds": metrics_seconds,
        }
    except Exception as error:  # whatever it was: it is recorded, and the other prompts are still worth their run
        tqdm.write(f"prompt {prompt.id} failed: {reason(error)}")
        return sample | {"status": "failed", "error": reason(error)}, None
    return sample | outcome | {"status": "ok"}, measured
