"""A checkpoint that goes over the wire in pieces arrives whole."""

from __future__ import annotations

from multiprocessing.connection import Client
from pathlib import Path

import pytest

from lepton_lab.runs.checkpoints import latest_checkpoint, new_checkpoint
from lepton_lab.runs.events import EventLog
from lepton_lab.scaling import pieces
from lepton_lab.scaling.door import FarListener
from lepton_lab.scaling.far import FarLine


def test_a_checkpoint_goes_to_the_worker_and_to_the_next_rank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 1000)
    run_dir, far = tmp_path / "run", tmp_path / "far"
    (run_dir / "control").mkdir(parents=True)
    far.mkdir()
    content = bytes(range(256)) * 20
    with new_checkpoint(far, 7) as folder:
        (folder / "model.safetensors").write_bytes(content)
        (folder / "state.json").write_bytes(b"{}")
    with EventLog.open_writer(run_dir) as events:
        listener = FarListener(events, run_dir, b"key", "127.0.0.1", 2, lambda: None)
        try:
            first = FarLine(Client(listener.address, authkey=b"key"), far)
            assert first.report("begin", {"size": 2}) == {"plan": None, "step": None}
            first.report("piece", {"name": "torn.safetensors", "offset": 0, "content": b"of a rank that was killed"})
            again = FarLine(Client(listener.address, authkey=b"key"), far)
            again.report("begin", {"size": 2})
            again.append("CheckpointSaved", step=7, is_best=False)
            found = latest_checkpoint(run_dir)
            assert found is not None and found[0] == 7
            assert {path.name for path in found[1].iterdir()} == {"model.safetensors", "state.json", "manifest.json"}
            assert (found[1] / "model.safetensors").read_bytes() == content

            third = FarLine(Client(listener.address, authkey=b"key"), far)
            assert third.report("begin", {"size": 2})["step"] == 7
            arrived = tmp_path / "arrived"
            arrived.mkdir()
            while (piece := third.report("next piece", {})) is not None:
                assert len(piece["content"]) <= 1000
                pieces.add_piece(arrived, **piece)
            assert (arrived / "model.safetensors").read_bytes() == content
            assert (arrived / "manifest.json").exists()
        finally:
            listener.close()
    assert not (run_dir / ".incoming").exists()
