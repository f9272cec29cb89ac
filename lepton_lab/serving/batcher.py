"""Micro-batching: while the network runs, requests gather; when it is free, they go through it together.

No request waits for others to come: an idle network takes what is there. Under load batches grow by themselves.
Everything but the network's run happens on the event loop's thread.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from lepton_lab.serving.engine import Engine, Inputs, joined
from lepton_lab.serving.metrics import Metrics

MAX_BATCH_ROWS = 1024


@dataclass(frozen=True)
class Answer:
    """Scores of one request, and its share of the time that its batch took."""

    scores: np.ndarray
    compute_seconds: float


@dataclass(frozen=True)
class _Job:
    """One request's rows, waiting for their turn."""

    inputs: Inputs
    answer: asyncio.Future[Answer]

    def __len__(self) -> int:
        return len(self.inputs[0])


class Batcher:
    """Feeds one engine.

    Args:
        engine: Runs the rows.
        executor: A single thread that runs the engine; versions share it.
        max_batch: Most requests that go together.
        metrics: Told of every batch.
        lanes: Batches that may be on their way at the same time; the executor has as many threads.
    """

    def __init__(self, engine: Engine, executor: Executor, *, max_batch: int, metrics: Metrics, lanes: int = 1) -> None:
        self._engine = engine
        self._executor = executor
        self._max_batch = max_batch
        self._metrics = metrics
        self._waiting: deque[_Job] = deque()
        self._free = lanes

    def submit(self, inputs: Inputs) -> asyncio.Future[Answer]:
        """Queues the prepared rows of one request; the future gives their scores."""
        loop = asyncio.get_running_loop()
        job = _Job(inputs, loop.create_future())
        self._waiting.append(job)
        if self._free:
            self._free -= 1
            loop.call_soon(self._start, loop)
        return job.answer

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sends the next batch off, or rests."""
        jobs = self._take()
        if not jobs:
            self._free += 1
            return
        self._executor.submit(self._run, jobs, loop)

    def _take(self) -> list[_Job]:
        """The next jobs that fit together; those whose client has gone are left out."""
        jobs: list[_Job] = []
        num_rows = 0
        while self._waiting and len(jobs) < self._max_batch:
            job = self._waiting[0]
            if jobs and num_rows + len(job) > MAX_BATCH_ROWS:
                break
            self._waiting.popleft()
            if not job.answer.done():
                jobs.append(job)
                num_rows += len(job)
        return jobs

    def _run(self, jobs: list[_Job], loop: asyncio.AbstractEventLoop) -> None:
        """On the engine's thread: one run for all jobs."""
        started = time.perf_counter()
        outcomes = self._outcomes(jobs)
        loop.call_soon_threadsafe(self._finish, jobs, outcomes, time.perf_counter() - started, loop)

    def _outcomes(self, jobs: list[_Job]) -> list[np.ndarray | Exception]:
        """Scores of each job; where a batch fails, each job runs alone, so that one costs the others nothing."""
        try:
            scores = self._engine.run(joined([job.inputs for job in jobs]))
        except Exception as error:  # whatever the engine raises belongs to the requests, not to this thread
            return [error] if len(jobs) == 1 else [self._outcomes([job])[0] for job in jobs]
        ends = np.cumsum([len(job) for job in jobs])
        return [scores[end - len(job) : end] for job, end in zip(jobs, ends, strict=True)]

    def _finish(
        self,
        jobs: list[_Job],
        outcomes: list[np.ndarray | Exception],
        seconds: float,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Hands the scores out and goes on."""
        self._start(loop)
        num_rows = sum(len(job) for job in jobs)
        self._metrics.observe_batch(num_rows, seconds)
        for job, outcome in zip(jobs, outcomes, strict=True):
            if job.answer.done():
                continue
            if isinstance(outcome, Exception):
                job.answer.set_exception(outcome)
            else:
                job.answer.set_result(Answer(outcome, seconds * len(job) / num_rows))
