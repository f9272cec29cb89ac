"""Many files into arrays, by several processes that write straight into one mapped file each array.

The arrays lie in files without a name: whoever dies, on purpose or not, leaves nothing behind. A worker process takes
ranges of files from its input and answers each with what could not be read; it ends when its input does.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lepton_lab.data.storage import HasRoot, make_cache, reserve
from lepton_lab.errors import DataError, StoreError

Fill = Callable[[bytes, list[np.ndarray]], None]
"""Turns a file's bytes into one row of each array; raises `DataError` where it cannot."""

_FILES_PER_RANGE = 64
_FEW_FILES = 400
"""Up to so many files a process of its own would take longer to start than it saves."""


@dataclass(frozen=True)
class Layout:
    """Type and shape of an array that is filled."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Its size."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Job:
    """What is to be done: the kind of work, its options, the files and the arrays."""

    kind: str
    options: dict[str, Any]
    files: list[Path]
    layouts: list[Layout]


def fill_arrays(
    job: Job, store: HasRoot, progress: Callable[[str, float | None], None], what: str, *, workers: int | None = None
) -> tuple[list[np.ndarray], list[tuple[Path, str]]]:
    """Reads every file into its row of each array.

    Args:
        job: What is to be done.
        store: Whose cache has the room.
        progress: Told how far it is; an exception out of it (a person's Ctrl-C too) ends the work and leaves nothing.
        what: How to call the work ("Decoding pictures").
        workers: Processes (default: one for each core, none of their own for few files).

    Returns:
        The arrays, mapped from files without a name, and which files could not be read with the reason of each.

    Raises:
        StoreError: When the disk has not enough room.
        DataError: When a worker process died, with the files that it was at.
    """
    handles: list[int] = []
    try:
        for layout in job.layouts:
            handles.append(_unnamed(store, layout))
        arrays = [_mapped(handle, layout) for handle, layout in zip(handles, job.layouts, strict=True)]
        count = workers if workers is not None else (cores() if len(job.files) > _FEW_FILES else 1)
        broken: list[tuple[int, str]] = []
        with _answers(job, handles, arrays, count) as answers:
            done = 0
            for size, found in answers:
                broken += found
                done += size
                progress(what, done / len(job.files))
    finally:
        for handle in handles:
            os.close(handle)
    return arrays, [(job.files[number], reason) for number, reason in sorted(broken)]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _unnamed(store: HasRoot, layout: Layout) -> int:
    """A file handle with room for an array; the file has no name, so nothing stays of it."""
    try:
        with tempfile.TemporaryFile(dir=make_cache(store)) as unnamed:
            reserve(unnamed.fileno(), max(1, layout.num_bytes))
            return os.dup(unnamed.fileno())
    except OSError as error:
        raise StoreError(f"There is no room for {layout.num_bytes / 1e6:,.0f} MB of prepared data: {error}.") from error


def _mapped(handle: int, layout: Layout) -> np.ndarray:
    if not layout.num_bytes:
        return np.empty(layout.shape, layout.dtype)
    with os.fdopen(os.dup(handle), "r+b") as stream:
        mapped = np.memmap(stream, dtype=layout.dtype, mode="r+", shape=layout.shape)
    return mapped.view(np.ndarray)  # a row of it is then no mapping of its own, which takes longer than to fill it


Answer = tuple[int, list[tuple[int, str]]]
"""How many files were read, and the number and reason of each that could not be."""


@contextmanager
def _answers(job: Job, handles: list[int], arrays: list[np.ndarray], count: int) -> Iterator[Iterator[Answer]]:
    ranges = [
        (start, min(len(job.files), start + _FILES_PER_RANGE)) for start in range(0, len(job.files), _FILES_PER_RANGE)
    ]
    if count <= 1:
        fill = load_filler(job.kind, job.options)
        yield ((stop - start, fill_range(fill, job.files, arrays, start, stop)) for start, stop in ranges)
        return
    with _Crew(job, handles, ranges, min(count, len(ranges))) as crew:
        yield crew.answers()


class _Crew:
    """Worker processes with a thread each that hands them ranges."""

    def __init__(self, job: Job, handles: list[int], ranges: list[tuple[int, int]], count: int) -> None:
        self._job, self._handles, self._count = job, handles, count
        self._todo: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        for part in ranges:
            self._todo.put(part)
        self._num_ranges = len(ranges)
        self._done: queue.SimpleQueue[Answer | DataError] = queue.SimpleQueue()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> _Crew:
        from lepton_lab.runs.process import python_command

        package = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
        quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        for _ in range(self._count):
            process = subprocess.Popen(
                python_command("lepton_lab.data.filling"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=self._handles,
                env={**os.environ, "PYTHONPATH": path, **quiet},
                start_new_session=True,  # a Ctrl-C is for the one that asked, who then ends these
            )
            self._processes.append(process)
            thread = threading.Thread(target=self._serve, args=(process,), daemon=True, name="lepton-filling")
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
        for process, thread in zip(self._processes, self._threads, strict=False):
            process.wait()
            thread.join()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    try:
                        stream.close()
                    except OSError:
                        continue  # what was not written yet has no reader any more

    def answers(self) -> Iterator[Answer]:
        for _ in range(self._num_ranges):
            answer = self._done.get()
            if isinstance(answer, DataError):
                raise answer
            yield answer

    def _serve(self, process: subprocess.Popen[bytes]) -> None:
        job, part = self._job, None
        try:
            described = {
                "kind": job.kind,
                "options": job.options,
                "files": [os.fsencode(file).decode("utf-8", "surrogateescape") for file in job.files],
                "arrays": [(h, a.dtype, a.shape) for h, a in zip(self._handles, job.layouts, strict=True)],
            }
            _send(process, described)
            while True:
                try:
                    part = self._todo.get_nowait()
                except queue.Empty:
                    return
                _send(process, part)
                line = process.stdout.readline() if process.stdout else b""
                answer = json.loads(line)
                self._done.put((part[1] - part[0], [(number, reason) for number, reason in answer]))
        except (OSError, ValueError):
            names = [job.files[number].name for number in range(*part)] if part else ["its first files"]
            self._done.put(DataError(f"A process that read {names[0]!r} to {names[-1]!r} died; load the data again."))


def _send(process: subprocess.Popen[bytes], message: Any) -> None:
    if process.stdin is not None:
        process.stdin.write(json.dumps(message, ensure_ascii=True).encode("ascii") + b"\n")
        process.stdin.flush()


def load_filler(kind: str, options: dict[str, Any]) -> Fill:
    """The function that does a kind of work: "pictures", "headers" (of pictures) or "sounds"."""
    if kind in ("pictures", "headers"):
        from lepton_lab.data import pictures

        return pictures.filler(**options) if kind == "pictures" else pictures.header_filler()
    from lepton_lab.data import audio_material

    return audio_material.filler(**options)


def fill_range(
    fill: Fill, files: Sequence[Path], arrays: Sequence[np.ndarray], start: int, stop: int
) -> list[tuple[int, str]]:
    """Reads some of the files into their rows; returns the number and reason of each that could not be read."""
    broken = []
    for number in range(start, stop):
        try:
            fill(_content(files[number]), [array[number] for array in arrays])
        except DataError as error:
            broken.append((number, str(error)))
        except OSError as error:
            broken.append((number, f"the file cannot be read ({error.strerror})"))
    return broken


def _content(file: Path) -> bytes:
    """A file's bytes; for small ones this takes a fraction of what `read_bytes` does."""
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(handle).st_size
        content = os.read(handle, size + 1)
        while len(content) < size and (more := os.read(handle, size + 1 - len(content))):
            content += more
        return content
    finally:
        os.close(handle)


def main() -> None:
    """A worker process: the job on the first line of its input, then a range a line."""
    described = json.loads(sys.stdin.readline())
    files = [Path(os.fsdecode(name.encode("utf-8", "surrogateescape"))) for name in described["files"]]
    arrays = [_mapped(handle, Layout(dtype, tuple(shape))) for handle, dtype, shape in described["arrays"]]
    fill = load_filler(described["kind"], described["options"])
    for line in sys.stdin:
        start, stop = json.loads(line)
        print(json.dumps(fill_range(fill, files, arrays, start, stop)), flush=True)


if __name__ == "__main__":
    main()
