"""The network compiled by `torch.compile`, where what is left of the run pays for it.

Compiling takes half a minute before it saves anything, so a run begins without it. On a GPU, once it has taken
`NUM_FIRST` steps, it knows how long it will take at that speed; where that is long, it compiles, takes as many steps
both ways, and keeps what was faster. Importing the compiler alone takes two seconds, which short runs never spend.

On a CPU nothing is compiled unasked: there torch's own kernels in channels_last were up to 1.4 times faster than the
compiled ones (cnn; 1.2 times in resnet).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lepton_lab.training.failures import is_memory_shortage
from lepton_lab.training.objective import Objective
from lepton_lab.training.optimizers import Optimizer
from lepton_lab.training.plan import Plan
from lepton_lab.training.resident import Batch
from lepton_lab.training.step import NonFiniteLoss, Step

NUM_FIRST = 200
"""Steps before a run looks how long it will take; half of them are timed, as they come."""

WORTH_SECONDS = 600.0
"""A run that has so long to go gains more than compiling costs, if the steps become a tenth faster."""

NUM_WARM_UP, NUM_TIMED = 10, 32
"""Steps that are not timed after a change (libraries choose kernels, a graph is recorded), and steps that are."""

LEAST_GAIN = 1.03
"""How many times faster compiled steps have to be to be kept."""

Compiled = Callable[..., Any]
"""Called as the network is."""

Take = Callable[[Batch, float], tuple[Tensor, Tensor | None]]


def compile_module(module: nn.Module) -> Compiled:
    """What `torch.compile` makes of a network; dropout draws the numbers that it draws without."""
    import torch._inductor.config as inductor

    inductor.fallback_random = True
    compiled: Compiled = torch.compile(module)
    return compiled


def may_compile(plan: Plan, objective: Objective, *, has_lengths: bool) -> bool:
    """Whether a run tries it by itself, or was told to."""
    if plan.compile != "auto":
        return plan.compile == "on"
    is_plain = type(objective) is Objective and not has_lengths and plan.accumulate == 1
    return plan.device == "cuda" and is_plain and not plan.deterministic


class CompiledStep:
    """Takes a run's steps, and has its network compiled where that pays.

    Args:
        step: What makes the updates.
        optimizer: Its optimizer, which knows how many steps the run has taken.
        module: The network.
        plan: Rows of a batch (one of another size goes through the network as it is), and whether to compile before
            the first step, whatever it costs.
        steps_total: Steps of the whole run.
        warn: Told a sentence where a network cannot be compiled.
        tell: Told of the event `StepCompiled`.
        compile_module: What compiles.
        clock: Seconds, monotonic.

    Attributes:
        is_compiled: Whether that was chosen: a checkpoint holds it, so that a run which goes on computes as it did.
    """

    def __init__(
        self,
        step: Step,
        optimizer: Optimizer,
        module: nn.Module,
        plan: Plan,
        steps_total: int,
        *,
        warn: Callable[[str], object],
        tell: Callable[..., object],
        compile_module: Callable[[nn.Module], Compiled] = compile_module,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._step, self._optimizer, self._module = step, optimizer, module
        self._num_rows, self._steps_total = plan.batch_size, steps_total
        self._warn, self._tell, self._compile, self._clock = warn, tell, compile_module, clock
        self._waits = plan.device == "cuda"
        self._began, self._compiling_seconds = 0.0, 0.0
        self._num_taken, self._times = 0, list[float]()
        self._plain_seconds: float | None = None
        self.is_compiled = False
        self._take: Take = self._try if plan.compile == "on" else self._first

    @property
    def num_parts(self) -> int:
        """In how many parts a batch goes through the network; see `Step`."""
        return self._step.num_parts

    @num_parts.setter
    def num_parts(self, number: int) -> None:
        self._step.num_parts = number

    def split(self, num_rows: int) -> bool:
        """Halves what goes through the network at once; see `Step.split`."""
        return self._step.split(num_rows)

    def __call__(self, batch: Batch, learning_rate: float) -> tuple[Tensor, Tensor | None]:
        """Makes one update; see `Step`."""
        if len(batch.labels) != self._num_rows:
            return self._step(batch, learning_rate)
        return self._take(batch, learning_rate)

    def _first(self, batch: Batch, learning_rate: float) -> tuple[Tensor, Tensor | None]:
        """Steps as they come, until it is known how long the run will take."""
        self._num_taken += 1
        if self._num_taken == NUM_FIRST // 2:
            self._began = self._clock()
        elif self._num_taken == NUM_FIRST:
            a_step = (self._clock() - self._began) / (NUM_FIRST - NUM_FIRST // 2)
            is_long = a_step * (self._steps_total - self._optimizer.num_steps) >= WORTH_SECONDS
            self._num_taken, self._take = 0, self._timed if is_long else self._step
        return self._step(batch, learning_rate)

    def _timed(self, batch: Batch, learning_rate: float) -> tuple[Tensor, Tensor | None]:
        """Steps that are waited for: of the network as it is, then of the compiled one."""
        self._wait()
        began = self._clock()
        done = self._step(batch, learning_rate)
        self._wait()
        self._times.append(self._clock() - began)
        if len(self._times) == NUM_TIMED:
            seconds, self._times = statistics.median(self._times), []
            if self._plain_seconds is None:
                self._plain_seconds, self._take = seconds, self._try
            else:
                self._choose(self._plain_seconds, seconds)
        return done

    def compile_next(self) -> None:
        """Compiles in the next step, without a trial: a run goes on in which it was chosen."""
        self._take = self._try

    def _try(self, batch: Batch, learning_rate: float) -> tuple[Tensor, Tensor | None]:
        """The first compiled step; a network that cannot be compiled goes on as it is."""
        began = self._clock()
        try:
            self._step.go_through(OfOneSize(self._module, self._compile(self._module)))
            done = self._step(batch, learning_rate)
            self._wait()
        except Exception as error:  # the compiler has errors of its own, of which many are a system's that lacks a tool
            if isinstance(error, NonFiniteLoss) or is_memory_shortage(error):
                raise
            self._step.go_through(self._module)
            self._take = self._step
            said = str(error).strip().partition("\n")[0] or type(error).__name__
            self._warn(f"The network cannot be compiled ({said}); it trains as it is.")
            return self._step(batch, learning_rate)
        self._compiling_seconds = self._clock() - began
        if self._plain_seconds is None:
            self._end_trial(is_kept=True)
        else:
            self._take = self._warm
        return done

    def _warm(self, batch: Batch, learning_rate: float) -> tuple[Tensor, Tensor | None]:
        self._num_taken += 1
        if self._num_taken == NUM_WARM_UP:
            self._take = self._timed
        return self._step(batch, learning_rate)

    def _choose(self, plain: float, compiled: float) -> None:
        """Keeps what is faster."""
        is_kept = plain >= LEAST_GAIN * compiled
        if not is_kept:
            self._step.go_through(self._module)
        self._end_trial(is_kept, step_ms=[round(plain * 1e3, 3), round(compiled * 1e3, 3)])

    def _end_trial(self, is_kept: bool, **figures: Any) -> None:
        self.is_compiled, self._take = is_kept, self._step
        seconds, step = round(self._compiling_seconds, 2), self._optimizer.num_steps
        self._tell("StepCompiled", step=step, is_kept=is_kept, seconds=seconds, **figures)

    def _wait(self) -> None:
        if self._waits:
            torch.cuda.synchronize()


class OfOneSize:
    """A network of which batches of the first one's rows go through the compiled form; each further size would be
    compiled anew.
    """

    def __init__(self, module: nn.Module, compiled: Compiled) -> None:
        self._module, self._compiled = module, compiled
        self._num_rows: int | None = None

    def __call__(self, *inputs: Tensor) -> Any:
        if self._num_rows is None:
            self._num_rows = len(inputs[0])
        return (self._compiled if len(inputs[0]) == self._num_rows else self._module)(*inputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)
