"""Real bundles, made once: a small network on digits, another one, and one on a table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from lepton_lab.data import PreparedDataset, from_arrays, load
from lepton_lab.runs.endpoints import EndpointRecord, VersionRecord, save_record
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import alive, read_identity, terminate
from lepton_lab.serving import bundle as bundles
from lepton_lab.serving import lifecycle
from lepton_lab.serving.app import build_app
from lepton_lab.serving.export import export_bundle
from lepton_lab.serving.gate import Gate
from lepton_lab.serving.host import Host
from lepton_lab.serving.keys import make_key
from lepton_lab.serving.usage import UsageMeter
from lepton_lab.specs import DataSpec


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serving")


@pytest.fixture(scope="session")
def digits(shared: Path) -> PreparedDataset:
    return load(DataSpec(name="digits"), Store(shared / "data").prepare())


@pytest.fixture(scope="session")
def table(shared: Path) -> PreparedDataset:
    import polars

    rng = np.random.default_rng(0)
    age = rng.uniform(18, 80, 400).round(1)
    city = rng.choice(["Oslo", "Paris", "北京"], 400)
    likes = np.where((age > 45) ^ (city == "Paris"), "<b>yes</b>", "no")
    frame = polars.DataFrame({"age": age, "city": city, "likes": likes})
    store = Store(shared / "data").prepare()
    return load(from_arrays(frame, store=store, target="likes", name="people"), store)


def _train(network: Any, dataset: PreparedDataset, steps: int = 150) -> Any:
    import torch

    torch.manual_seed(0)
    part = dataset.splits["train"]
    inputs = torch.from_numpy(dataset.preparation.apply(np.asarray(part.inputs)))
    labels = torch.from_numpy(np.array(part.labels))
    optimizer = torch.optim.SGD(network.parameters(), 0.5)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
    return network


def _linear(dataset: PreparedDataset) -> Any:
    import torch

    width = int(np.prod(dataset.input_shape))
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(width, dataset.num_classes))


@pytest.fixture(scope="session")
def bundle_folder(shared: Path, digits: PreparedDataset) -> Path:
    """A trained network on digits."""
    run = {"run_id": "digits-linear-1", "model": "linear", "metrics": {"test_accuracy": 0.95}}
    export_bundle(_train(_linear(digits), digits), digits, run, shared / "one")
    return shared / "one"


@pytest.fixture(scope="session")
def other_folder(shared: Path, digits: PreparedDataset) -> Path:
    """Another network on digits, trained less."""
    run = {"run_id": "digits-linear-2", "model": "linear"}
    export_bundle(_train(_linear(digits), digits, steps=20), digits, run, shared / "two")
    return shared / "two"


@pytest.fixture(scope="session")
def table_folder(shared: Path, table: PreparedDataset) -> Path:
    """A network on a table; one of its labels looks like HTML."""
    export_bundle(_train(_linear(table), table), table, {"run_id": "people-linear-1", "model": "linear"}, shared / "t")
    return shared / "t"


def _untrained(spec: DataSpec, shared: Path, name: str) -> Path:
    from lepton_lab.models.registry import build
    from lepton_lab.specs import ModelSpec
    from lepton_lab.specs.networks import default_network

    dataset = load(spec, Store(shared / "data").prepare())
    network = build(ModelSpec(name=default_network(dataset.problem)), dataset.problem).eval()
    export_bundle(network, dataset, {"run_id": f"{name}-1", "model": "untrained"}, shared / name)
    return shared / name


@pytest.fixture(scope="session")
def text_folder(shared: Path) -> Path:
    """A network on sentences."""
    lines = [
        f"a {'good' if number % 2 else 'grim'} film {number % 7},{'yes' if number % 2 else 'no'}"
        for number in range(60)
    ]
    (shared / "films.csv").write_text("text,liked\n" + "\n".join(lines))
    return _untrained(DataSpec(name=str(shared / "films.csv"), roles="text=text"), shared, "films")


@pytest.fixture(scope="session")
def sound_folder(shared: Path) -> Path:
    """A network on sounds."""
    import soundfile

    for number in range(24):
        label, hertz = (("low", 200), ("high", 2000))[number % 2]
        path = shared / "tones" / label / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.5 * np.sin(2 * np.pi * (hertz + number) * np.arange(2400) / 8000), 8000)
    return _untrained(DataSpec(name=str(shared / "tones")), shared, "sounds")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store").prepare()


@pytest.fixture
def run_of(store: Store) -> Any:
    """Puts a bundle where a finished run would have it, and names the run."""

    def put(folder: Path) -> str:
        bundle = bundles.load(folder)
        bundle.copy_to(store.run_dir(bundle.manifest.run_id) / "bundle")
        return bundle.manifest.run_id

    return put


@dataclass
class Served:
    """An endpoint inside the test's own process."""

    store: Store
    host: Host
    app: Gate
    usage: UsageMeter
    key: str
    record: EndpointRecord
    client: httpx.AsyncClient

    @property
    def bundle(self) -> bundles.Bundle:
        return self.host.active.bundle

    def change(self, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(self.record, name, value)
        save_record(self.store, self.record)


def make_endpoint(store: Store, folder: Path, name: str = "digits", **fields: Any) -> tuple[EndpointRecord, str]:
    """An endpoint's folder and record, without a server."""
    bundle = bundles.load(folder)
    bundle.copy_to(store.endpoint_dir(name) / "versions" / "1")
    kept, key = make_key()
    record = EndpointRecord(name, "running", 1, "127.0.0.1", 8700, **fields)
    record.versions = [VersionRecord(1, bundle.sha256, bundle.manifest.run_id, 0.0)]
    record.keys = [kept]
    save_record(store, record)
    return record, key


def serve_here(store: Store, folder: Path, **fields: Any) -> Served:
    record, key = make_endpoint(store, folder, **fields)
    host = Host(store, record.name)
    host.load_first()
    usage = UsageMeter(host.folder / "usage.jsonl")
    app = build_app(host, usage)
    transport = httpx.ASGITransport(app)
    client = httpx.AsyncClient(transport=transport, base_url="http://endpoint", headers={"X-API-Key": key})
    return Served(store, host, app, usage, key, record, client)


@pytest.fixture
def served(store: Store, bundle_folder: Path) -> Iterator[Served]:
    here = serve_here(store, bundle_folder)
    yield here
    here.host.close()


@pytest.fixture
def served_table(store: Store, table_folder: Path) -> Iterator[Served]:
    here = serve_here(store, table_folder, name="people")
    yield here
    here.host.close()


def _gone(process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive(process) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(process)


@pytest.fixture
def supervised(store: Store) -> Iterator[Store]:
    yield store
    for summary in lifecycle.list_endpoints(store):
        lifecycle.stop_endpoint(store, summary.name)
    supervisor = read_identity(store.supervisor_json)
    if supervisor:
        terminate(supervisor)
        assert _gone(supervisor, 10)
