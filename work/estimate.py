"""What a whole run would take, in numbers and in a few lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tokenrank.evaluation.plan import Unit

UNITS = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
GB = 1e9


@dataclass(frozen=True)
class Tried:
    """A prompt that was measured for the estimate."""

    unit: Unit
    tokens: int
    seconds: float  # of measuring it and writing its record
    rows: int  # of metrics.parquet
    sizes: Mapping[str, int]  # bytes of its record, its saved rankings and its entries of the store

    def unlikeness(self, unit: Unit) -> tuple[bool, bool, bool, int]:
        """Smallest for the prompt that leaves as many rows: it has evidence, one span of it, and reference answers, or not, as this one."""
        own, other = self.unit.prompt, unit.prompt
        return (
            (own.needle is None) != (other.needle is None),
            bool(own.evidence) != bool(other.evidence),
            bool(own.answers) != bool(other.answers),
            abs(self.tokens - len(other.input_ids)),
        )


@dataclass(frozen=True)
class Estimate:
    """Of all prompts of a command, without loading the model, collecting and drawing."""

    prompts: int
    tokens: int  # of all prompts
    longest: int  # tokens
    tried: Sequence[Tried]
    seconds: float  # in one process
    between: tuple[float, float]  # the same, if every token cost what it does in the cheaper, or dearer, prompt
    exponent: float  # of the tokens, in the seconds of a prompt
    processes: int  # that share the prompts
    sizes: Mapping[str, float]  # bytes: records, rankings, store, tables
    rows: int  # of metrics.parquet
    peak: int | None  # bytes; None: unknown

    def lines(self) -> list[str]:
        """For the terminal."""
        measured = ", ".join(f"{each.unit.name} ({each.tokens:,} tokens, {each.seconds:.1f} s)" for each in self.tried)
        low, high = self.between
        shared = (
            f"; {_time(self.seconds / self.processes)} if {self.processes} processes share them and do not slow each other"
            if self.processes > 1
            else ""
        )
        disk = ", ".join(f"{name} {_size(size)}" for name, size in self.sizes.items() if size)
        peak = "unknown" if self.peak is None else f"{self.peak / 2**30:.2f} GiB"
        return [
            f"estimate for {self.prompts:,} prompts, {self.tokens:,} tokens, from {measured}, measured with an empty store",
            f"time    {_time(self.seconds)} in one process ({_time(low)} to {_time(high)}){shared}; loading, tables and plots come on top",
            f"disk    {_size(sum(self.sizes.values()))}: {disk}",
            f"rows    {self.rows:,} of metrics.parquet",
            f"memory  {peak} at most while these were measured; the longest prompt has {self.longest:,} tokens",
            f"growth  seconds = k x tokens^{self.exponent:.2f}, bytes along a straight line; the range: all tokens as cheap, or as dear, as "
            "in one of the prompts measured",
        ]


def _time(seconds: float) -> str:
    """``2.5 hours``."""
    size, name = next(((size, name) for size, name in UNITS if seconds >= size), UNITS[-1])
    return f"{seconds / size:.3g} {name}"


def _size(size: float) -> str:
    """``0.012 GB``."""
    return f"{size / GB:.3g} GB"
