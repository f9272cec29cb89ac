"""An endpoint takes what a person has, and its network gets what training's got: to the bit, over HTTP.

The network of these bundles gives back what it is given, so that the answer is the prepared row itself.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
import torch
import uvicorn
from onnx import TensorProto, helper
from PIL import Image

from lepton_lab.data import PreparedDataset, load
from lepton_lab.data.targets import Target
from lepton_lab.serving.export import Exported, write_bundle
from lepton_lab.serving.express import ExpressProtocol
from lepton_lab.serving.manifest import Verification
from lepton_lab.specs import DataSpec
from lepton_lab.training.resident import place
from tests.serving.conftest import serve_here

DRAW = np.random.default_rng(0)
Body = dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """A dataset, and how the rows of its source are sent."""

    spec: DataSpec
    body: Callable[[int], Body]


def instance(value: Any) -> Body:
    return {"json": {"instances": [value]}}


def file(path: Path, kind: str) -> Body:
    return {"content": path.read_bytes(), "headers": {"Content-Type": kind}}


def pictures(root: Path) -> Sent:
    """JPEG and PNG files of many sizes, in colour and in grey."""
    for number in range(24):
        shape = (40 + number, 70 - number) + ((3,) if number % 3 else ())
        path = root / "pictures" / "ab"[number % 2] / f"{number:02d}.{'jpg' if number % 4 else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(DRAW.integers(0, 256, shape, dtype=np.uint8)).save(path)
    files = sorted((root / "pictures").glob("*/*"))
    spec = DataSpec(name=str(root / "pictures"), image_size=24)
    return Sent(spec, lambda row: file(files[row], "image/jpeg" if files[row].suffix == ".jpg" else "image/png"))


def sounds(root: Path) -> Sent:
    """WAV and FLAC files of two rates and of many lengths, some in stereo."""
    (root / "sounds").mkdir()
    for number in range(24):
        rate = 8000 if number % 5 else 11025
        wave = np.sin(np.arange(rate // 3 + 100 * number) * 0.02 * (number + 1))[:, None] * [0.5, 0.3]
        end = "flac" if number % 6 == 0 else "wav"
        soundfile.write(root / "sounds" / f"{'ab'[number % 2]}_{number:02d}.{end}", wave[:, : 1 + number % 2], rate)
    files = sorted((root / "sounds").iterdir())
    spec = DataSpec(name=str(root / "sounds"), pattern="{label}_{number}", sample_rate=8000)
    return Sent(spec, lambda row: file(files[row], "audio/wav"))


def sentences(root: Path) -> Sent:
    """Sentences with words that training never saw, and letters of several alphabets."""
    texts = [f"The {'good' if row % 2 else 'bad'} film № {row}, naïve — 电影 {row * 7}!" for row in range(40)]
    lines = [f'"{text}",{["no", "yes"][row % 2]}' for row, text in enumerate(texts)]
    (root / "said.csv").write_text("\n".join(["text,label", *lines]), "utf-8")
    plain = {"Content-Type": "text/plain; charset=utf-8"}
    return Sent(DataSpec(name=str(root / "said.csv")), lambda row: {"content": texts[row].encode(), "headers": plain})


def rows_of_a_table(root: Path) -> Sent:
    """Numbers, categories, dates and cells that are missing; sent as JSON."""
    rows = [
        {
            "size": None if row % 9 == 4 else round(float(DRAW.normal()) * 10 ** (row % 5), 6),
            "town": [None, "Oslo", "Paris", "北京"][row % 4],
            "day": f"20{10 + row % 13}-0{1 + row % 9}-1{row % 10}",
            "count": int(DRAW.integers(-5, 90)),
        }
        for row in range(60)
    ]
    cells = [",".join("" if value is None else str(value) for value in row.values()) for row in rows]
    lines = [f"{line},{['low', 'high'][row % 2]}" for row, line in enumerate(cells)]
    (root / "rows.csv").write_text("\n".join(["size,town,day,count,label", *lines]), "utf-8")
    return Sent(DataSpec(name=str(root / "rows.csv"), missing="fill"), lambda row: instance(rows[row]))


def lines_of_a_table(root: Path) -> Sent:
    """The same, sent as the lines of the file."""
    spec = rows_of_a_table(root).spec
    lines = (root / "rows.csv").read_text("utf-8").splitlines()
    head = lines[0].rpartition(",")[0]
    csv = {"Content-Type": "text/csv"}
    return Sent(
        spec,
        lambda row: {"content": f"{head}\n{lines[row + 1].rpartition(',')[0]}\n".encode(), "headers": csv},
    )


def sequences(root: Path) -> Sent:
    """Series of several dimensions, sent as nested lists."""
    values = DRAW.normal(size=(40, 12, 3)).astype(np.float32)
    np.savez(root / "series.npz", x=values, y=np.arange(40) % 2)
    return Sent(DataSpec(name=str(root / "series.npz")), lambda row: instance(values[row].tolist()))


def files_in_json(root: Path) -> Sent:
    """Picture files inside of JSON."""
    sent = pictures(root)
    return Sent(sent.spec, lambda row: instance({"b64": base64.b64encode(sent.body(row)["content"]).decode("ascii")}))


def gives_back_its_input(dataset: PreparedDataset) -> bytes:
    """An ONNX network whose answer is what it is given."""
    entries = dataset.preparation.signature()
    entries = entries if isinstance(entries, list) else [entries]
    inputs = [
        helper.make_tensor_value_info(
            entry["name"],
            TensorProto.FLOAT if entry["datatype"] == "FP32" else TensorProto.INT64,
            [None if size == -1 else size for size in entry["shape"]],
        )
        for entry in entries
    ]
    node = helper.make_node("Cast", [entries[0]["name"]], ["scores"], to=TensorProto.FLOAT)
    shape = [None if size == -1 else size for size in entries[0]["shape"]]
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, shape)
    graph = helper.make_graph([node], "as it comes", inputs, [scores])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return model.SerializeToString()


@pytest.mark.parametrize(
    "make", [pictures, files_in_json, sounds, sentences, rows_of_a_table, lines_of_a_table, sequences]
)
def test_a_raw_file_becomes_the_row_of_training_to_the_bit(store, tmp_path, make):
    sent = make(tmp_path)
    dataset = load(sent.spec, store)
    rows = place(dataset, "test", torch.device("cpu"), free_bytes=0)
    trained = rows.batch(torch.arange(len(rows))).inputs[0].numpy()
    # Answers of forecasts are numbers of any shape, as the network gives them.
    dataset.task, dataset.target = "forecasting", Target("forecasting")
    dataset.problem = dataclasses.replace(dataset.problem, task="forecasting", output_shape=trained.shape[1:])
    exported = Exported(
        gives_back_its_input(dataset),
        "by hand",
        Verification(num_samples=0, largest_difference=0.0, agreement_fraction=1.0),
    )
    files, info = {"model.onnx": exported.model}, {"run_id": "raw-1", "model": "none"}
    write_bundle(exported, files, dataset, info, tmp_path / "bundle", started=0.0)
    here = serve_here(store, tmp_path / "bundle", name="raw")
    config = uvicorn.Config(here.app, http=ExpressProtocol, ws="none", lifespan="off", log_config=None)
    server, listener = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/predict"
        with httpx.Client(headers={"X-API-Key": here.key}, timeout=60) as client:
            for place_in_part, row in enumerate(dataset.splits["test"].row_ids.tolist()):
                body = sent.body(row)
                answer = client.post(address, **body)
                assert answer.status_code == 200, answer.text
                (prediction,) = json.loads(answer.content)["predictions"]
                got = np.array(prediction["forecast"], np.float64)
                expected = trained[place_in_part][: len(got)]
                assert got.astype(np.float32).astype(np.float64).tobytes() == got.tobytes(), "no digit was lost"
                assert got.astype(trained.dtype).tobytes() == expected.tobytes()
                assert not trained[place_in_part][len(got) :].any(), "only padding was left out"
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()
        here.host.close()
