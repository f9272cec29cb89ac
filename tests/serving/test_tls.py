"""An endpoint over TLS: with a certificate made on the spot, or with files; never half."""

from __future__ import annotations

import stat

import httpx
import pytest

from lepton_lab.errors import EndpointError, SpecError
from lepton_lab.runs.endpoints import endpoint_names
from lepton_lab.serving import lifecycle, tls
from lepton_lab.serving.client import Client
from lepton_lab.specs import DeploySpec
from tests.serving.test_lifecycle import start  # noqa: F401  (a fixture)

PICTURE = [[[0.0] * 8] * 8]


def test_an_endpoint_answers_over_tls_and_its_owner_trusts_it(store, run_of, bundle_folder, start):  # noqa: F811
    spec = DeploySpec(name="closed", tls=True)
    summary, key = lifecycle.deploy(store, run_of(bundle_folder), spec, start=start)
    assert summary.url.startswith("https://127.0.0.1:") and summary.state == "ready"
    folder = store.endpoint_dir("closed")
    assert stat.S_IMODE((folder / tls.KEY).stat().st_mode) == 0o600
    with Client.of(store, "closed") as client:
        assert client.predict(PICTURE)[0]["label"] in set(map(str, range(10)))
    with pytest.raises(EndpointError), Client(summary.url, str(key)) as stranger:
        stranger.predict(PICTURE)
    with pytest.raises(httpx.HTTPError):
        httpx.get(summary.url.replace("https", "http"), trust_env=False, timeout=10)


def test_files_of_ones_own_must_belong_together(store, run_of, bundle_folder, tmp_path):
    chain, key = tls.self_made("127.0.0.1")
    other = tls.self_made("127.0.0.1")[1]
    for name, content in (("chain.pem", chain), ("key.pem", key), ("other.pem", other)):
        (tmp_path / name).write_bytes(content)
    tls.install(tmp_path, "127.0.0.1", str(tmp_path / "chain.pem"), str(tmp_path / "key.pem"))
    assert (tmp_path / tls.CERTIFICATE).read_bytes() == chain
    options = {"tls": True, "tls_certificate": str(tmp_path / "chain.pem")}
    for wrong, words in (("other.pem", "belong together"), ("nobody.pem", "cannot be read")):
        spec = DeploySpec.parse({"name": "half", **options, "tls_key": str(tmp_path / wrong)})
        with pytest.raises(EndpointError, match=words):
            lifecycle.deploy(store, run_of(bundle_folder), spec)
        assert endpoint_names(store) == []


def test_other_machines_may_come_in_over_tls():
    assert DeploySpec.parse({"host": "0.0.0.0", "tls": True}).host == "0.0.0.0"
    for options in ({"tls": True, "tls_key": "k"}, {"tls_certificate": "c", "tls_key": "k"}):
        with pytest.raises(SpecError, match="go together"):
            DeploySpec.parse(options)
