"""estimate=true: what a whole run would take, from two of its prompts, which are measured and thrown away."""

import logging
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from transformers import PreTrainedModel

from tokenrank.evaluation.peak_memory import peak_bytes, start_peak
from tokenrank.evaluation.plan import Plan, Unit
from tokenrank.records.record import Record, read_record
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.store import NoStore, Store
from tokenrank.work.estimate import Estimate, Tried
from tokenrank.work.growth import Points, bounds, power_law, straight_line
from tokenrank.work.loading import load_model
from tokenrank.work.loop import do
from tokenrank.work.table_sizes import metric_rows, table_bytes

log = logging.getLogger("tokenrank")


class NothingToEstimate(Exception):
    """A prompt of the two failed wholly, or the shard has none."""


def estimate(plan: Plan) -> Estimate:
    """Measures two prompts of this command's shard in a folder and a store of their own, both removed at the end.

    Raises:
        NotLoaded: as ``load_model``.
        NothingToEstimate: one of the prompts failed, or the shard has none.
    """
    if not plan.own_units:
        raise NothingToEstimate(
            f"nothing can be estimated: shard={plan.config.shard} has none of the {len(plan.units)} prompts"
        )
    model = load_model(plan)
    with TemporaryDirectory(prefix="tokenrank_") as temporary:
        folder, store = RunFolder(Path(temporary) / "run"), Path(temporary) / "store"
        chosen = typical(plan.own_units)
        folder.begin({}, {unit.name: unit.key for unit in chosen}, "")
        alone = replace(plan, store=plan.store if isinstance(plan.store, NoStore) else Store(store))
        start_peak(model)
        tried = [_tried(alone, model, unit, folder, store) for unit in chosen]
        return _extrapolated(plan, tried, [read_record(folder.record_file(unit.name)) for unit in chosen], model)


def typical(units: Sequence[Unit]) -> list[Unit]:
    """The prompts nearest to one standard deviation below and above the mean length, the shorter first; one if there is one.

    The mean cost of two prompts of just these lengths is that of all prompts, whatever a, b and c are in
    a + b x tokens + c x tokens^2.
    """
    lengths = [len(unit.prompt.input_ids) for unit in units]
    mean, spread = statistics.fmean(lengths), statistics.pstdev(lengths)
    by_length = sorted(units, key=lambda unit: len(unit.prompt.input_ids))
    short = min(by_length, key=lambda unit: abs(len(unit.prompt.input_ids) - (mean - spread)))
    others = [unit for unit in reversed(by_length) if unit is not short]
    long = min(others, key=lambda unit: abs(len(unit.prompt.input_ids) - (mean + spread)), default=None)
    return sorted([short] if long is None else [short, long], key=lambda unit: len(unit.prompt.input_ids))


def _tried(plan: Plan, model: PreTrainedModel, unit: Unit, folder: RunFolder, store: Path) -> Tried:
    tokens = len(unit.prompt.input_ids)
    log.info("measuring prompt %s of %d tokens, for the estimate", unit.name, tokens)
    before = _bytes_in(store)
    started = time.perf_counter()
    do(plan, model, unit, folder, lambda _: None)
    seconds = time.perf_counter() - started
    record = read_record(folder.record_file(unit.name))
    if record.failed and not record.measured.num_rows:
        raise NothingToEstimate(f"nothing can be estimated: prompt {unit.name} failed: {record.sample['error']}")
    sizes = {
        "records": folder.record_file(unit.name).stat().st_size,
        "rankings": _bytes_in(folder.path / "rankings" / f"{unit.name}.safetensors"),
        "store": _bytes_in(store) - before,
    }
    return Tried(unit, tokens, seconds, metric_rows(record), sizes)


def _bytes_in(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def _extrapolated(plan: Plan, tried: Sequence[Tried], records: Sequence[Record], model: PreTrainedModel) -> Estimate:
    units = plan.own_units
    lengths = [len(unit.prompt.input_ids) for unit in units]
    times: Points = [(each.tokens, each.seconds) for each in tried]
    seconds, exponent = power_law(times)
    total = sum(map(seconds, lengths))
    low, high = bounds(times, sum(lengths))
    sizes = {
        name: sum(map(straight_line([(each.tokens, float(each.sizes[name])) for each in tried]), lengths))
        for name in tried[0].sizes
    }
    executor = plan.config.executor
    return Estimate(
        prompts=len(units),
        tokens=sum(lengths),
        longest=max(lengths),
        tried=tried,
        seconds=total,
        between=(min(low, total), max(high, total)),
        exponent=exponent,
        processes=executor.get("processes") or executor.get("actors") or 1,
        sizes=sizes | {"tables": table_bytes(plan.evaluation, records, lengths)},
        rows=sum(_alike(tried, unit).rows for unit in units),
        peak=peak_bytes(model),
    )


def _alike(tried: Sequence[Tried], unit: Unit) -> Tried:
    """The prompt that leaves as many rows as this one."""
    return min(tried, key=lambda each: each.unlikeness(unit))
