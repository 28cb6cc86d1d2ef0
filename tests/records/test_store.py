"""The store: what was put comes back, whoever writes beside it or is killed; what is damaged is named and counts as absent."""

import json
import logging
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tokenrank.records.digests import digest
from tokenrank.records.entry import HEADER, entry_bytes, read_entry, read_fields
from tokenrank.records.files import PREFIX
from tokenrank.records.store import KINDS, NoStore, Store, StoreUnwritable

ROOT = Path(__file__).parents[2]
FIELDS: dict[str, Any] = {"model": "tiny", "prompt": "ab12", "settings": {"n": 4, "kernel": None, "of": [1.5, "ü"]}}
WRITERS = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from tokenrank.records.store import Store

store = Store(Path(sys.argv[1]))

def write(first, say):
    for number in range(first, first + 200):
        fields = {"number": number}
        if store.get("rankings", fields) is None:
            store.put("rankings", fields, {"scores": torch.full((50,), float(number))})
        os.write(say, b"%d\\n" % number)

def writers(firsts, seconds):
    read, say = os.pipe()
    children = []
    for first in firsts:
        child = os.fork()
        if child == 0:
            try:
                write(first, say)
            finally:
                os._exit(0 if sys.exception() is None else 1)
        children.append(child)
    os.close(say)
    if seconds is not None:
        time.sleep(seconds)
        for child in children:
            os.kill(child, signal.SIGKILL)
    with open(read) as opened:
        said = opened.read()
    print(*(os.waitpid(child, 0)[1] for child in children), said.replace("\\n", " "))
"""


def tensors() -> dict[str, Tensor]:
    """One of each kind of shape and dtype, among them a view that is not contiguous, and two names that share memory."""
    table = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    return {
        "scores": table, "turned": table.T, "row": table[1], "ids": torch.tensor([5, 2**40]), "one": torch.tensor(0.1),
        "none": torch.zeros(0, 3), "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "flags": torch.tensor([True, False]),
    }  # fmt: skip


def same(found: dict[str, Tensor] | None, wanted: dict[str, Tensor]) -> bool:
    return (
        found is not None
        and set(found) == set(wanted)
        and all(found[name].dtype == each.dtype and torch.equal(found[name], each) for name, each in wanted.items())
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("tokenrank"), "propagate", True)
    return caplog


def small(store: Store) -> Path:
    """A small entry's file."""
    store.put("answers", {"a": 1}, {"ids": torch.tensor([1, 2, 3])})
    return store.file("answers", {"a": 1})


def assert_absent(store: Store, said: pytest.LogCaptureFixture, because: str = "") -> None:
    """The small entry is not found, one warning names its file, and it can be put again."""
    said.clear()
    assert store.get("answers", {"a": 1}) is None
    (message,) = said.messages
    assert message.startswith(f"{store.file('answers', {'a': 1})} is no entry that can be read (")
    assert because in message
    assert "\n" not in message
    store.put("answers", {"a": 1}, {"ids": torch.tensor([1, 2, 3])})
    assert same(store.get("answers", {"a": 1}), {"ids": torch.tensor([1, 2, 3])})
    assert len(said.messages) == 1


def test_what_was_put_comes_back(store: Store) -> None:
    assert store.get("truths", FIELDS) is None
    store.put("truths", FIELDS, tensors())
    assert same(store.get("truths", FIELDS), tensors())
    assert store.get("truths", FIELDS | {"prompt": "ab13"}) is None
    assert store.get("rankings", FIELDS) is None
    assert not same(store.get("truths", FIELDS), tensors() | {"one": torch.tensor(0.2)})


def test_an_entry_is_a_file_named_by_its_fields(store: Store) -> None:
    store.put("values", FIELDS, tensors())
    key = digest(FIELDS)
    file = store.path / "values" / key[:2] / f"{key}.safetensors"
    assert [each for each in store.path.rglob("*") if each.is_file()] == [file]
    assert read_fields(file, "values") == FIELDS
    assert b'"prompt": "ab12"' in file.read_bytes().replace(b"\\", b"")  # readable


def test_keys_that_are_numbers_come_back_as_json_writes_them(store: Store) -> None:
    fields = {"layers": {2: "a", 10: "b"}, "pair": (1, 2)}
    store.put("values", fields, {"x": torch.ones(1)})
    assert same(store.get("values", fields), {"x": torch.ones(1)})
    assert same(store.get("values", {"pair": [1, 2], "layers": {"10": "b", "2": "a"}}), {"x": torch.ones(1)})


def test_the_same_content_gives_the_same_bytes() -> None:
    other_order = dict(reversed(tensors().items()))
    assert len({entry_bytes("truths", FIELDS, tensors()) for _ in range(20)}) == 1
    assert entry_bytes("truths", dict(reversed(FIELDS.items())), other_order) == entry_bytes(
        "truths", FIELDS, tensors()
    )
    assert entry_bytes("values", FIELDS, tensors()) != entry_bytes("truths", FIELDS, tensors())


def test_a_sound_entry_stays_and_a_damaged_one_is_replaced(store: Store) -> None:
    file = small(store)
    before = file.read_bytes()
    store.put("answers", {"a": 1}, {"ids": torch.tensor([9])})  # a machine that computes otherwise
    assert file.read_bytes() == before
    file.write_bytes(before[:-1])
    store.put("answers", {"a": 1}, {"ids": torch.tensor([1, 2, 3])})
    assert file.read_bytes() == before


def test_a_file_gets_the_permissions_of_an_ordinary_one(store: Store) -> None:
    before = os.umask(0o002)
    try:
        file = small(store)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o664


def test_an_unknown_kind_is_refused(store: Store) -> None:
    for call in (store.get, lambda kind, fields: store.put(kind, fields, {})):
        with pytest.raises(
            ValueError, match=r"^kind is 'answer', must be one of answers, truths, rankings, losses, values$"
        ):
            call("answer", {})


def test_a_truncated_file_is_named_and_made_again(store: Store, warnings: pytest.LogCaptureFixture) -> None:
    whole = small(store).read_bytes()
    for tenth in range(10):
        small(store).write_bytes(whole[: len(whole) * tenth // 10])
        assert_absent(store, warnings)
        assert small(store).read_bytes() == whole
    small(store).write_bytes(whole + b"\0")
    assert_absent(store, warnings)


def test_every_flipped_byte_is_found(store: Store, warnings: pytest.LogCaptureFixture) -> None:
    file = small(store)
    whole = file.read_bytes()
    found = 0
    for place in range(len(whole)):
        for bit in (1, 128):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            warnings.clear()
            back = store.get("answers", {"a": 1})
            assert len(warnings.messages) == (back is None)
            assert back is None or same(back, {"ids": torch.tensor([1, 2, 3])})
            found += back is None
    assert found >= 2 * len(whole) - 20  # blanks of the header are read as other blanks


def foreign(file: Path, what: str) -> None:
    """Something that no put wrote, at an entry's place."""
    file.unlink(missing_ok=True)
    if what == "folder":
        file.mkdir()
    elif what == "loop":
        file.symlink_to(file)
    elif what == "pipe":
        os.mkfifo(file)
    elif what == "other tensors":
        save_file({"ids": torch.tensor([1, 2, 3])}, file)
    elif what == "huge":  # 8 GB declared, and 1 TB long without taking room
        file.write_bytes((1 << 33).to_bytes(8, "little"))
        os.truncate(file, 1 << 40)
    elif what == "no header":
        file.write_bytes(bytes(64))
    elif what == "deep":
        file.write_bytes((100_000).to_bytes(8, "little") + b"[" * 100_000)
    elif what == "metadata of another kind":
        save_file({}, file, {HEADER: json.dumps(["fields"])})
    else:
        file.write_text(what)


@pytest.mark.parametrize(
    "what",
    ["", "text", "loop", "pipe", "other tensors", "huge", "no header", "deep", "metadata of another kind"],
)
def test_a_foreign_file_is_named_and_replaced(what: str, store: Store, warnings: pytest.LogCaptureFixture) -> None:
    foreign(small(store), what)
    assert_absent(store, warnings)


def test_a_folder_in_an_entrys_place_is_no_entry(store: Store, warnings: pytest.LogCaptureFixture) -> None:
    foreign(small(store), "folder")
    assert store.get("answers", {"a": 1}) is None
    assert "it is no file" in warnings.text
    with pytest.raises(StoreUnwritable, match=r"^store=.* cannot be written: Is a directory: "):
        small(store)


def test_another_entry_under_the_name_is_no_entry(store: Store, warnings: pytest.LogCaptureFixture) -> None:
    store.put("answers", {"a": 2}, {"ids": torch.tensor([7])})
    store.put("truths", {"a": 1}, {"ids": torch.tensor([7])})
    small(store).write_bytes(store.file("answers", {"a": 2}).read_bytes())
    assert_absent(store, warnings, "its fields have another key")
    small(store).write_bytes(store.file("truths", {"a": 1}).read_bytes())
    assert_absent(store, warnings, "it is of 'truths'")
    small(store).write_bytes(small(store).read_bytes().replace(b"store 1", b"store 2"))
    assert_absent(store, warnings, "tokenrank store 2")


@pytest.mark.parametrize(("written", "changed"), [(b'"F32"', b'"I32"'), (b"[4,1]", b"[1,4]"), (b'"x"', b'"y"')])
def test_the_same_bytes_of_another_dtype_shape_or_name_are_no_entry(
    written: bytes, changed: bytes, store: Store, warnings: pytest.LogCaptureFixture
) -> None:
    store.put("values", FIELDS, {"x": torch.ones(4, 1)})
    file = store.file("values", FIELDS)
    content = file.read_bytes()
    assert content.count(written) == 1
    file.write_bytes(content.replace(written, changed))
    assert store.get("values", FIELDS) is None
    assert "(its SHA-256 is another one)" in warnings.text
    file.write_bytes(content)
    assert store.get("values", FIELDS) is not None


def test_an_unreadable_file_is_named(
    store: Store, warnings: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(store)

    def refuse(self: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)  # root may read everything
        assert store.get("answers", {"a": 1}) is None
    assert "(PermissionError: Permission denied)" in warnings.text
    assert store.get("answers", {"a": 1}) is not None


def run_writers(store: Store, calls: str) -> list[list[int]]:
    """Runs the calls of ``writers`` in a process; of each the exit statuses and the numbers of the entries that were there."""
    program = [sys.executable, "-c", WRITERS + calls, str(store.path)]
    done = subprocess.run(program, cwd=ROOT / "src", capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return [[int(word) for word in line.split()] for line in done.stdout.splitlines()]


def assert_all_there(store: Store, numbers: Iterable[int]) -> None:
    for number in numbers:
        found = store.get("rankings", {"number": number})
        assert same(found, {"scores": torch.full((50,), float(number))})


def test_four_writers_of_overlapping_entries_lose_none(store: Store, warnings: pytest.LogCaptureFixture) -> None:
    (said,) = run_writers(store, "writers((0, 100, 100, 200), None)")
    assert said[:4] == [0, 0, 0, 0]
    assert sorted(said[4:]) == sorted([*range(200), *range(100, 300), *range(100, 300), *range(200, 400)])
    assert_all_there(store, range(400))
    assert len([each for each in store.path.rglob("*") if each.is_file()]) == 400
    assert not warnings.messages


def test_killed_writers_leave_only_whole_entries(store: Store, warnings: pytest.LogCaptureFixture) -> None:
    killed = run_writers(store, "for _ in range(20): writers((0, 100), random.uniform(0, 0.05))")
    how = [status for each in killed for status in each[:2]]
    assert set(how) <= {0, signal.SIGKILL}
    assert how.count(signal.SIGKILL) >= 10  # a fast machine may finish first
    done = {number for each in killed for number in each[2:]}
    assert done  # they were at it
    files = [each for each in store.path.rglob("*.safetensors") if not each.name.startswith(PREFIX)]
    for file in files:
        assert file == store.file("rankings", read_entry(file, "rankings")[0])
    assert_all_there(store, sorted(done))
    run_writers(store, "writers((0, 100), None)")
    assert_all_there(store, range(300))
    assert not warnings.messages


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_one_sentence_and_what_is_there_stays(full_disk: Path) -> None:
    store = Store(full_disk / "store")
    store.check()
    small(store)
    with pytest.raises(
        StoreUnwritable, match=r"^store=.*/disk/store cannot be written: No space left on device[^\n]*$"
    ):
        store.put("rankings", FIELDS, {"scores": torch.zeros(100_000)})
    assert same(store.get("answers", {"a": 1}), {"ids": torch.tensor([1, 2, 3])})
    assert store.get("rankings", FIELDS) is None
    assert not list(full_disk.rglob(f"{PREFIX}*"))
    (full_disk / "rest").write_bytes(bytes(os.statvfs(full_disk).f_bavail * os.statvfs(full_disk).f_frsize))
    with pytest.raises(ValueError, match=r"^store=.* cannot be written \(No space left on device"):
        store.check()


def test_a_write_that_the_system_breaks_off_is_one_sentence(store: Store) -> None:
    program = """
import resource, signal, sys, torch
from pathlib import Path
from tokenrank.records.store import Store, StoreUnwritable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
store = Store(Path(sys.argv[1]))
store.put("values", {"a": 1}, {"x": torch.ones(10)})
try:
    store.put("values", {"a": 2}, {"x": torch.ones(10_000)})
except StoreUnwritable as error:
    print(error)
assert store.get("values", {"a": 1}) is not None and store.get("values", {"a": 2}) is None
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(store.path)], cwd=ROOT / "src", capture_output=True, text=True, check=True
    )
    assert done.stdout == f"store={store.path} cannot be written: File too large\n"
    assert [each.name for each in store.path.rglob("*") if each.is_file()] == [f"{digest({'a': 1})}.safetensors"]


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that can be read and not written, for root too where root may mount."""
    place = tmp_path / "read_only"
    place.mkdir()
    small(Store(place))
    if os.geteuid():
        for each in (place, *place.rglob("*")):
            each.chmod(0o500)
    elif (
        subprocess.run(["mount", "--bind", place, place], capture_output=True).returncode
        or subprocess.run(["mount", "-o", "remount,bind,ro", place], capture_output=True).returncode
    ):
        pytest.skip("root may write everywhere, and may not mount here")
    yield place
    if os.geteuid():
        for each in (place, *place.rglob("*")):
            each.chmod(0o700)
    else:
        subprocess.run(["umount", place], check=True)


def test_a_read_only_store_is_read_and_one_sentence(read_only: Path) -> None:
    store = Store(read_only)
    assert same(store.get("answers", {"a": 1}), {"ids": torch.tensor([1, 2, 3])})
    small(store)  # there already: nothing is written
    with pytest.raises(StoreUnwritable, match=rf"^store={read_only} cannot be written: [^\n]+$"):
        store.put("answers", {"a": 2}, {})
    with pytest.raises(
        ValueError, match=rf"^store={read_only} cannot be written \([^\n]+\): give another folder, or store=null"
    ):
        store.check()


def test_check_makes_the_folder_and_leaves_nothing_in_it(store: Store, tmp_path: Path) -> None:
    store.check()
    assert not list(store.path.iterdir())
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "store"):
        with pytest.raises(ValueError, match=rf"^store={place} cannot be written \(.*\): give another folder"):
            Store(place).check()


def test_no_store_keeps_nothing() -> None:
    nothing = NoStore()
    nothing.check()
    for kind in KINDS:
        nothing.put(kind, FIELDS, tensors())
        assert nothing.get(kind, FIELDS) is None
