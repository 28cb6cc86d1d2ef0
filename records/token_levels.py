"""The levels of a prompt's tokens in every ranking: among which of the best k percent each token is, layer by layer."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tokenrank.records.sealed import check_seal, sealed_file

HEADER = b"tokenrank"  # entry of the file's metadata
TRUTH = "truth"  # name of the rows of the run's first truth
OTHER_TRUTH = f"{TRUTH}:"  # what the rows of another one are called begins with, its name follows
OUTSIDE = 255  # level of a token that is not ranked: outside of the universe
_SCHEMA = pa.schema([
    ("name", pa.string()), ("layer", pa.int64()), ("levels", pa.binary()), ("importance", pa.list_(pa.float32())),
])  # fmt: skip


@dataclass(frozen=True)
class TruthLevels:
    """A truth, token by token."""

    importance: np.ndarray[Any, Any]  # (1 or layers, tokens) float32, of any sign
    levels: np.ndarray[Any, Any]  # (1 or layers, tokens) uint8


@dataclass(frozen=True)
class TokenLevels:
    """What reports show of single tokens of a prompt.

    A level is how many of ``k`` have the token among the best of a ranking. With k = (5, 10, 20, 40), level 4 is among the best 5 %,
    3 among the best 10 % only, 0 among none. Of equal scores the earlier token ranks first, as for every metric.
    """

    k: tuple[float, ...]  # percent of the ranked tokens, ascending
    layers: tuple[int, ...]  # numbers of the layers that are ranked
    importance: np.ndarray[Any, Any]  # (1 or layers, tokens) float32: the run's first truth, of any sign
    truth: np.ndarray[Any, Any]  # (1 or layers, tokens) uint8 levels of this truth
    rankings: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)  # heuristic -> (layers, tokens) uint8
    texts: tuple[str, ...] | None = None  # what each token adds to the prompt's text; None: texts=false
    others: Mapping[str, TruthLevels] = field(default_factory=dict)  # the run's further truths, by name

    def against(self, other: str | None) -> "TokenLevels | None":
        """These levels with another truth in the place of the first.

        Args:
            other: name of a further truth; None: the first stays.

        Returns:
            None where the levels of this truth were not kept, as in files of earlier versions.
        """
        if other is None:
            return self
        found = self.others.get(other)
        return None if found is None else replace(self, importance=found.importance, truth=found.levels)

    @property
    def tokens(self) -> int:
        """Number of tokens of the prompt."""
        return int(self.truth.shape[1])


def joined_levels(given: Iterable[TokenLevels], order: Sequence[str]) -> TokenLevels | None:
    """Levels of one prompt with the rankings and truths of all; of those of one name the first is kept.

    Args:
        given: of runs that share their truths. What has other percentages than the first is left out.
        order: of the rankings.

    Returns:
        None where nothing is given.
    """
    found: TokenLevels | None = None
    for each in given:
        if found is None or each.k == found.k:
            own = found or each
            rankings, others = {**each.rankings, **own.rankings}, {**each.others, **own.others}
            found = replace(own, rankings=rankings, others=others)
    if found is None:
        return None
    rankings = {name: found.rankings[name] for name in order if name in found.rankings}
    return replace(found, rankings=rankings)


def write_token_levels(path: Path, levels: TokenLevels) -> None:
    """Writes the levels whole, or not at all; the same levels give the same bytes."""
    first = TruthLevels(levels.importance, levels.truth)
    truths = {TRUTH: first} | {f"{OTHER_TRUTH}{name}": each for name, each in levels.others.items()}
    rows: list[dict[str, Any]] = [
        {"name": name, "levels": row.tobytes(), "importance": importance}
        for name, each in truths.items()
        for row, importance in zip(each.levels, each.importance.tolist(), strict=True)
    ]
    for name, ranking in levels.rankings.items():
        rows += [
            {"name": name, "layer": layer, "levels": row.tobytes()}
            for layer, row in zip(levels.layers, ranking, strict=True)
        ]
    head = {"k": levels.k, "layers": levels.layers, "texts": levels.texts}
    written = json.dumps(head, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")
    with sealed_file(path, _SCHEMA, {HEADER: written}) as file:
        file.write_table(pa.Table.from_pylist(rows, _SCHEMA))


def read_token_levels(path: Path) -> TokenLevels:
    """The levels of a file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the file does not hold levels, or its content is not what was written.
    """
    try:
        written = BytesIO(path.read_bytes())
        check_seal(written)
        with pq.ParquetFile(written) as file:
            head = json.loads(file.metadata.metadata[HEADER].decode("utf-8", "surrogatepass"))
            rows = file.read(use_threads=False).to_pylist()
        rankings, truths = _by_name(row for row in rows if row["importance"] is None), _truths(rows)
        first, texts = truths.pop(TRUTH), None if head["texts"] is None else tuple(head["texts"])
        others = {name.removeprefix(OTHER_TRUTH): each for name, each in truths.items()}
        k, layers = tuple(head["k"]), tuple(head["layers"])
        return TokenLevels(k, layers, first.importance, first.levels, rankings, texts, others)
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file can be wrong in as many ways as parquet has
        raise ValueError(f"{path} holds no levels that can be read ({type(error).__name__}: {error})") from error


def _truths(rows: list[dict[str, Any]]) -> dict[str, TruthLevels]:
    """The truths of a file's rows: those that have importance."""
    own = [row for row in rows if row["importance"] is not None]
    importance: dict[str, list[list[float]]] = {}
    for row in own:
        importance.setdefault(row["name"], []).append(row["importance"])
    return {name: TruthLevels(np.array(importance[name], np.float32), levels) for name, levels in _by_name(own).items()}


def _by_name(rows: Iterable[Mapping[str, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """The levels of each name, (rows, tokens)."""
    found: dict[str, list[np.ndarray[Any, Any]]] = {}
    for row in rows:
        found.setdefault(row["name"], []).append(np.frombuffer(row["levels"], np.uint8))
    return {name: np.stack(each) for name, each in found.items()}
