"""Rules that advisories teach and that no other test of this folder is about; the number stands in each name."""

from __future__ import annotations

import ast
import base64
import hmac
import pickle
import socket
import threading
from pathlib import Path

import pytest

from lepton_lab.errors import LeptonError, SpecError
from lepton_lab.runs.paths import Store
from lepton_lab.serving import keys as keys_module
from lepton_lab.serving.keys import KeyRing, make_key
from lepton_lab.specs import DeploySpec

SERVING = Path(keys_module.__file__).parent
ROOMS = [SERVING, SERVING.parent / "compression"]


def trees() -> list[tuple[Path, ast.AST]]:
    return [(path, ast.parse(path.read_text())) for room in ROOMS for path in sorted(room.glob("*.py"))]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", "127.0.0.1.example.org", "127.1"])
def test_other_machines_are_refused_unless_they_are_asked_in_CVE_2023_48022(host):
    assert DeploySpec().host == "127.0.0.1"
    with pytest.raises(SpecError, match="allow_remote"):
        DeploySpec.parse({"host": host})
    assert DeploySpec.parse({"host": host, "allow_remote": True}).host == host


@pytest.mark.parametrize("word", ["http://{}/x.png", "file:///etc/passwd", "//{}/x", "ftp://{}/x"])
async def test_an_address_in_a_request_is_never_fetched_CVE_2023_43654_CVE_2025_54381(served, word):
    called = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        address = word.format(f"127.0.0.1:{listener.getsockname()[1]}")
        bodies = [{"instances": [address]}, {"instances": [{"url": address}]}, {"instances": [{"b64": address}]}]
        for body in bodies:
            answer = await served.client.post("/predict", json=body)
            assert 400 <= answer.status_code < 500
        answer = await served.client.post("/predict", content=address.encode(), headers={"Content-Type": "image/png"})
        assert 400 <= answer.status_code < 500
        with pytest.raises(TimeoutError):
            listener.accept()
            called.set()
    assert not called.is_set()


class Bomb:
    """What a pickle must never get to do."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize("kind", ["application/octet-stream", "application/x-pickle", "image/png", "application/json"])
async def test_a_pickle_is_never_loaded_CVE_2025_27520_CVE_2025_32375(served, kind):
    content = pickle.dumps(Bomb())
    answer = await served.client.post("/predict", content=content, headers={"Content-Type": kind})
    assert 400 <= answer.status_code < 500
    packed = {"instances": [{"b64": base64.b64encode(content).decode()}]}
    assert (await served.client.post("/predict", json=packed)).status_code == 422


def test_no_decoder_that_runs_code_is_within_reach_CVE_2025_32434_CVE_2024_2912():
    for path, tree in trees():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            assert not {"pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"} & set(names), path
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "torch.load", "np.load", "numpy.load", "compile"), (path, called)


def test_no_check_is_an_assert_CVE_2026_41523():
    for path, tree in trees():
        assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree)), path


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "", ".", "..", "a" * 65, "x\0", "ü", "a b", "-rf\n"])
def test_names_cannot_leave_the_store_CVE_2026_5422_CVE_2023_1177(tmp_path, name):
    store = Store(tmp_path).prepare()
    with pytest.raises(LeptonError):
        store.endpoint_dir(name)
    with pytest.raises(SpecError):
        DeploySpec.parse({"name": name})


def test_keys_are_compared_as_hashes_in_constant_time_CVE_2025_59425(monkeypatch):
    compared = []

    def watched(first: str, second: str) -> bool:
        compared.append((first, second))
        return hmac.compare_digest(first, second)

    class Watched:
        compare_digest = staticmethod(watched)

    monkeypatch.setattr(keys_module, "hmac", Watched)
    made = [make_key() for _ in range(3)]
    ring = KeyRing(record for record, _ in made)
    assert ring.check(made[0][1]).id == made[0][0].id and len(compared) == 3
    assert all(len(first) == len(second) == 64 for first, second in compared)


async def test_no_answer_lets_another_origin_in_CVE_2026_40110(served):
    for origin in ("http://endpoint.evil.org", "null", "http://127.0.0.1:8700.evil.org"):
        for method in ("GET", "OPTIONS", "POST"):
            answer = await served.client.request(method, "/info", headers={"Origin": origin})
            assert not [name for name in answer.headers if name.startswith("access-control-")]
