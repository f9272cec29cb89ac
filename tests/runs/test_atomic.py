"""Files are whole or absent: under errors, under kill -9, and in the order of the system calls."""

from __future__ import annotations

import errno
import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest

from lepton_lab.errors import StoreError
from lepton_lab.runs.atomic import Disk, read_json, write_bytes, write_json


class BrokenDisk(Disk):
    """A disk on which one kind of call fails."""

    def __init__(self, call, code):
        self.call, self.code = call, code

    def _fail(self, call):
        if call == self.call:
            raise OSError(self.code, os.strerror(self.code))

    def write(self, fd, data):
        self._fail("write")
        return super().write(fd, data)

    def fsync(self, fd):
        self._fail("fsync")
        super().fsync(fd)

    def rename(self, source, target):
        self._fail("rename")
        super().rename(source, target)


class StutteringDisk(Disk):
    """A disk that takes a few bytes at a time."""

    def write(self, fd, data):
        return super().write(fd, data[:3])


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
@pytest.mark.parametrize(("code", "reason"), [(errno.ENOSPC, "disk_full"), (errno.EIO, "unwritable")])
def test_a_failed_write_is_said_and_the_old_file_stays(tmp_path, call, code, reason):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(StoreError) as caught:
        write_json(path, {"new": 2}, disk=BrokenDisk(call, code))
    assert caught.value.reason == reason
    assert "a.json" in str(caught.value)
    assert read_json(path) == {"old": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_a_disk_that_stutters_still_gets_every_byte(tmp_path):
    write_bytes(tmp_path / "a", b"0123456789", disk=StutteringDisk())
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_without_replace_the_first_one_wins(tmp_path):
    write_json(tmp_path / "a", 1, replace=False)
    write_json(tmp_path / "a", 2, replace=False)
    assert read_json(tmp_path / "a") == 1
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff"])
def test_an_unreadable_file_is_said_in_a_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"a\.json"):
        read_json(tmp_path / "a.json")


SIZE_BYTES = 1 << 20


def atomically(path, data):
    write_bytes(path, data, durable=False)


def in_place(path, data):
    path.write_bytes(data)


def losses_under_kill(path, write, num_kills):
    """Kills a writer again and again; returns how often it left a file that is not whole."""
    rng, lost = random.Random(0), 0
    for _ in range(num_kills):
        atomically(path, b"A" * SIZE_BYTES)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, b"r")
            for letter in range(66, 1_000_000):
                write(path, bytes([letter % 200]) * SIZE_BYTES)
            os._exit(0)
        os.read(reader, 1)
        time.sleep(rng.uniform(0, 0.006))  # the moment of the kill is the random input of this test
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)
        data = path.read_bytes()
        lost += len(data) != SIZE_BYTES or len(set(data)) != 1
    return lost


def test_no_file_is_lost_under_kill_and_the_harness_would_see_one(tmp_path):
    assert losses_under_kill(tmp_path / "a", atomically, 60) == 0
    assert losses_under_kill(tmp_path / "b", in_place, 60) > 0, "the harness proves nothing"


STRACED = """
import sys, pathlib
from lepton_lab.runs.atomic import write_json
from lepton_lab.runs.checkpoints import new_checkpoint
folder = pathlib.Path(sys.argv[1])
write_json(folder / "plain.json", 1)
with new_checkpoint(folder, 7) as checkpoint:
    (checkpoint / "weights.bin").write_bytes(b"w")
"""


def calls_under_strace(folder):
    """The fsyncs and renames of a traced process, as ("fsync", path) and ("rename", from, to)."""
    log = folder / "strace.log"
    command = ["strace", "-f", "-y", "-o", log, "-e", "trace=fsync,fdatasync,rename,renameat,renameat2"]
    subprocess.run([*command, sys.executable, "-c", STRACED, folder], check=True, timeout=60)
    calls = []
    for line in log.read_text().splitlines():
        if match := re.search(r"f(?:data)?sync\(\d+<(.+?)>[ )]", line):
            calls.append(("fsync", match[1]))
        elif match := re.search(r'rename\w*\(.*?"(.+?)".*"(.+?)"', line):
            calls.append(("rename", match[1], match[2]))
    return calls


def test_the_order_is_fsync_rename_fsync_of_the_folder(tmp_path):
    """F6: kill -9 cannot show a missing fsync, the order of the calls can."""
    calls = calls_under_strace(tmp_path)

    def rename_to(end):
        return next(i for i, call in enumerate(calls) if call[0] == "rename" and call[2].endswith(end))

    at = rename_to("plain.json")
    assert calls[at - 1] == ("fsync", calls[at][1])
    assert calls[at + 1] == ("fsync", str(tmp_path))

    at = rename_to("checkpoints/0000000007")
    synced = [call[1] for call in calls[:at] if call[0] == "fsync"]
    temporary = calls[at][1]
    assert f"{temporary}/weights.bin" in synced
    assert f"{temporary}/manifest.json" in synced
    assert synced[-1] == temporary, "the names in the new folder must be durable before it gets its own"
    assert calls[at + 1] == ("fsync", str(tmp_path / "checkpoints"))
