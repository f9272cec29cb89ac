"""A network whose tensors are made one after the other, later: so that no process ever holds all of them.

While a network is built under `Deferred`, nothing is computed: its tensors are torch's fake ones, which have a shape
and no numbers, and every operation is noted. `make` does what was noted, in the same order and from the same state of
chance, so each number is what it would have been; a weight is handed out when its last operation is done, and then
forgotten.
(The idea is that of torchdistX' deferred initialisation, https://pytorch.org/torchdistx/latest/deferred_init.html.)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

Make = Callable[[str, Tensor], None]

TRUNCATED = "_no_grad_trunc_normal_"
"""What torch draws numbers within bounds by: again and again until all are, so that it is one operation here."""

FILLING = frozenset(
    {"uniform_", "normal_", "zero_", "fill_", "copy_", "bernoulli_", "exponential_", "log_normal_", TRUNCATED}
)
"""Operations after which nothing is left of what their first argument was."""


class Seen(NamedTuple):
    """A tensor on paper: its place in a piece of memory."""

    memory: int
    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int

    def within(self, storage: torch.UntypedStorage) -> Tensor:
        """The tensor itself."""
        return torch.empty(0, dtype=self.dtype).set_(storage, self.offset, self.shape, self.stride)  # type: ignore[call-overload]


class Note(NamedTuple):
    """One operation that is to be done."""

    do: Any
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    results: list[Any]

    @property
    def memories(self) -> set[int]:
        """The pieces of memory that it reads or writes."""
        leaves = tree_leaves((self.arguments, self.options, self.results), is_leaf=_is_seen)
        return {each.memory for each in leaves if _is_seen(each)}


class Deferred(TorchDispatchMode):
    """Notes how tensors are made, and makes none of them."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Note] = []
        self.num_bytes: list[int] = []
        self._memories: dict[int, tuple[int, torch.UntypedStorage]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = dict(kwargs or {})
        result = func(*args, **{name: value for name, value in options.items() if name != "generator"})
        results = [self.seen(each) for each in tree_leaves(result) if isinstance(each, Tensor)]
        if results:
            self.notes.append(Note(func, *tree_map_only(Tensor, self.seen, (args, options)), results))
        return result

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Notes all that is done in the block."""
        draw = getattr(nn.init, TRUNCATED)

        def note_draw(tensor: Tensor, *bounds: Any, generator: Any = None) -> Tensor:
            seen = self.seen(tensor)
            self.notes.append(Note(draw, (seen, *bounds), {"generator": generator}, [seen]))
            return tensor

        setattr(nn.init, TRUNCATED, note_draw)
        try:
            with warnings.catch_warnings(), FakeTensorMode(allow_non_fake_inputs=True), self:
                warnings.filterwarnings(
                    "ignore", "Accessing the data pointer of FakeTensor"
                )  # as torch's deepcopy does
                yield
        finally:
            setattr(nn.init, TRUNCATED, draw)

    def seen(self, tensor: Tensor) -> Seen | Tensor:
        """A tensor on paper; one that is there already, as it is."""
        if not isinstance(tensor, FakeTensor):
            return tensor
        storage = tensor.untyped_storage()
        if storage._cdata not in self._memories:
            self._memories[storage._cdata] = (len(self.num_bytes), storage)  # kept: an address means one storage
            self.num_bytes.append(storage.nbytes())
        place = self._memories[storage._cdata][0]
        return Seen(place, tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.storage_offset())


class Sketch:
    """A network on paper, and how to make it.

    Args:
        build: Builds the network.

    Attributes:
        module: The network on the meta device.

    Raises:
        Exception: What a constructor raises that looks at numbers.
    """

    def __init__(self, build: Callable[[], nn.Module]) -> None:
        deferred = Deferred()
        with deferred.at_work():
            self.module = build()
        if any(is_lazy(each) for each in self.module.parameters()):
            raise ValueError("layers that find their own width in a forward pass cannot be made later")
        self._notes, self._num_bytes = deferred.notes, deferred.num_bytes
        named = [*self.module.named_parameters(), *self.module.named_buffers()]
        self._wanted = [(name, deferred.seen(tensor)) for name, tensor in named]
        to_paper(self.module)

    @torch.no_grad()
    def make(self, take: Make) -> None:
        """Makes the tensors one after the other, and forgets each when `take(name, tensor)` has returned."""
        wanted: dict[int, list[tuple[str, Seen]]] = {}
        for name, each in self._wanted:
            if isinstance(each, Seen):
                wanted.setdefault(each.memory, []).append((name, each))
            else:
                take(name, each)
        done, dropped = self._ends()
        memories: dict[int, torch.UntypedStorage] = {}
        for number, note in enumerate(self._notes):
            self._do(note, memories)
            for memory in dropped.get(number, ()):
                memories.pop(memory, None)
            for memory in done.get(number, ()):
                storage = memories.pop(memory)
                for name, each in wanted.get(memory, ()):
                    take(name, each.within(storage))

    def _do(self, note: Note, memories: dict[int, torch.UntypedStorage]) -> None:
        def there(seen: Any) -> Any:
            if not isinstance(seen, Seen):
                return seen
            if seen.memory not in memories:  # what it held before does not matter
                memories[seen.memory] = torch.UntypedStorage(self._num_bytes[seen.memory])
            return seen.within(memories[seen.memory])

        arguments, options = _map_seen(there, note.arguments), _map_seen(there, note.options)
        made = [each for each in tree_leaves(note.do(*arguments, **options)) if isinstance(each, Tensor)]
        for seen, tensor in zip(note.results, made, strict=True):
            if isinstance(seen, Seen):
                memories.setdefault(seen.memory, tensor.untyped_storage())

    def _ends(self) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
        """By the number of a note: pieces of memory that are done after it; those that are about to be filled anew."""
        last: dict[int, int] = {}
        dropped: dict[int, list[int]] = {}
        for number, note in enumerate(self._notes):
            filled = self._filled(note)
            if filled in last:
                dropped.setdefault(last[filled], []).append(filled)
            last.update(dict.fromkeys(note.memories, number))
        done: dict[int, list[int]] = {}
        for memory, number in last.items():
            done.setdefault(number, []).append(memory)
        return done, dropped

    def _filled(self, note: Note) -> int:
        """The piece of memory that an operation writes as a whole without reading it; -1 for none."""
        first, *others = note.arguments or (None,)
        if not isinstance(first, Seen) or note.do.__name__.partition(".")[0] not in FILLING:
            return -1
        reads = {each.memory for each in tree_leaves(others, is_leaf=_is_seen) if _is_seen(each)}
        is_whole = torch.Size(first.shape).numel() * first.dtype.itemsize == self._num_bytes[first.memory]
        return first.memory if is_whole and first.memory not in reads else -1


def _is_seen(value: Any) -> bool:
    return isinstance(value, Seen)


def _map_seen(change: Callable[[Any], Any], values: Any) -> Any:
    """As `tree_map`, where a `Seen` is one value and no tuple."""
    if isinstance(values, Seen):
        return change(values)
    if isinstance(values, dict):
        return {name: _map_seen(change, each) for name, each in values.items()}
    if isinstance(values, (list, tuple)):
        return type(values)(_map_seen(change, each) for each in values)
    return values


def to_paper(module: nn.Module) -> None:
    """Replaces a network's tensors by ones on the meta device, shared where they were shared."""
    known: dict[int, Tensor] = {}

    def on_paper(tensor: Tensor) -> Tensor:
        if id(tensor) not in known:
            empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
            is_parameter = isinstance(tensor, nn.Parameter)
            known[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if is_parameter else empty
        return known[id(tensor)]

    for part in module.modules():
        for name, tensor in [*part._parameters.items(), *part._buffers.items()]:
            if tensor is not None:
                setattr(part, name, on_paper(tensor))  # not past the module: recurrent layers keep a list of their own
