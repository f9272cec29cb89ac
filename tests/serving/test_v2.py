"""The Open Inference Protocol v2, JSON and binary: right answers, and a 4xx with the field for everything else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lepton_lab.serving import codec_v2
from lepton_lab.serving.manifest import TensorSignature
from lepton_lab.serving.requests import MAX_ROWS, RequestError

EXPECTED = TensorSignature(name="input", shape=(-1, 1, 8, 8))
INFER = "/v2/models/digits/infer"


def _request(num_rows: int = 2, **changes) -> dict:
    entry = {"name": "input", "datatype": "FP32", "shape": [num_rows, 1, 8, 8], "data": [0.5] * (64 * num_rows)}
    return {"id": "7", "inputs": [{**entry, **changes}]}


async def test_json_flat_and_nested_and_versioned_are_the_same(served):
    nested = np.full((2, 1, 8, 8), 0.5).tolist()
    answers = [
        await served.client.post(path, json=body)
        for path in (INFER, "/v2/models/digits/versions/1/infer")
        for body in (_request(), _request(data=nested))
    ]
    contents = [answer.json() for answer in answers]
    assert all(content == contents[0] for content in contents)
    (output,) = contents[0]["outputs"]
    assert contents[0]["id"] == "7" and contents[0]["model_version"] == "1"
    assert output["name"] == "scores" and output["shape"] == [2, 10] and len(output["data"]) == 20
    assert np.allclose(np.reshape(output["data"], (2, 10)).sum(1), 1)


async def test_binary_there_and_back(served, digits):
    rows = digits.preparation.apply(np.asarray(digits.splits["test"].inputs[:3]))
    head = {
        "inputs": [
            {
                "name": "input",
                "datatype": "FP32",
                "shape": [3, 1, 8, 8],
                "parameters": {"binary_data_size": rows.nbytes},
            }
        ],
        "outputs": [{"name": "scores", "parameters": {"binary_data": True}}],
    }
    content = json.dumps(head).encode()
    headers = {codec_v2.HEADER_LENGTH: str(len(content))}
    answer = await served.client.post(INFER, content=content + rows.tobytes(), headers=headers)
    length = int(answer.headers[codec_v2.HEADER_LENGTH])
    output = json.loads(answer.content[:length])["outputs"][0]
    scores = np.frombuffer(answer.content[length:], "<f4").reshape(output["shape"])
    plain = await served.client.post(INFER, json=_request(3, data=rows.ravel().tolist()))
    assert np.array_equal(scores.ravel(), np.array(plain.json()["outputs"][0]["data"], np.float32))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": "x"}, "inputs[0].name"),
        ({"datatype": "INT64"}, "inputs[0].datatype"),
        ({"datatype": None}, "inputs[0].datatype"),
        ({"shape": [2, 8, 8]}, "inputs[0].shape"),
        ({"shape": [2, 1, 8, -8]}, "inputs[0].shape"),
        ({"shape": [2, 1, 8, 8.0]}, "inputs[0].shape"),
        ({"shape": [True, 1, 8, 8]}, "inputs[0].shape"),
        ({"shape": [10**30, 1, 8, 8]}, "inputs[0].shape"),
        ({"shape": "2"}, "inputs[0].shape"),
        ({"shape": [0, 1, 8, 8], "data": []}, "inputs[0].shape[0]"),
        ({"data": [0.5] * 127}, "inputs[0].data"),
        ({"data": [["a"] * 64] * 2}, "inputs[0].data"),
        ({"data": [True] * 128}, "inputs[0].data"),
        ({"data": [None] * 128}, "inputs[0].data"),
        ({"data": [[1, 2], [3]]}, "inputs[0].data"),
        ({"data": [1e39] * 128}, "inputs[0].data"),
        ({"data": {"a": 1}}, "inputs[0].data"),
        ({"parameters": 5}, "inputs[0].parameters"),
        ({"parameters": {"binary_data_size": 512}}, "inputs[0].parameters.binary_data_size"),
        ({"parameters": {"binary_data_size": -1}}, "inputs[0].parameters.binary_data_size"),
    ],
)
async def test_what_does_not_fit_is_422_and_named(served, change, named):
    answer = await served.client.post(INFER, json=_request(**change))
    assert (answer.status_code, answer.json()["field"]) == (422, named), answer.text


async def test_too_many_rows_are_413_and_bounded_CVE_2026_34756(served):
    answer = await served.client.post(INFER, json=_request(shape=[MAX_ROWS + 1, 1, 8, 8]))
    assert answer.status_code == 413 and answer.json()["field"] == "inputs[0].shape[0]"


async def test_nan_and_infinity_in_binary_are_422(served):
    for value in (np.nan, np.inf):
        rows = np.full((1, 1, 8, 8), value, np.float32)
        head = json.dumps(_request(1, data=None, parameters={"binary_data_size": 256})).encode()
        headers = {codec_v2.HEADER_LENGTH: str(len(head))}
        answer = await served.client.post(INFER, content=head + rows.tobytes(), headers=headers)
        assert (answer.status_code, answer.json()["field"]) == (422, "inputs[0]")


@pytest.mark.parametrize("length", ["-1", "x", "999999", "1" * 40, "1.5", ""])
async def test_a_wrong_header_length_is_400(served, length):
    answer = await served.client.post(INFER, content=b"{}", headers={codec_v2.HEADER_LENGTH: length})
    assert (answer.status_code, answer.json()["field"]) == (400, codec_v2.HEADER_LENGTH)


async def test_models_and_versions_that_are_not_here_are_404(served):
    for path in ("/v2/models/other", "/v2/models/digits/versions/2", "/v2/models/digits/versions/x/ready"):
        assert (await served.client.get(path)).status_code == 404
    assert (await served.client.post("/v2/models/other/infer", json=_request())).status_code == 404


async def test_metadata(served):
    about = (await served.client.get("/v2/models/digits")).json()
    assert about["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 1, 8, 8]}]
    assert about["outputs"] == [{"name": "scores", "datatype": "FP32", "shape": [-1, 10]}]
    assert "binary_tensor_data" in (await served.client.get("/v2")).json()["extensions"]
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/digits/ready"):
        assert (await served.client.get(path)).status_code == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("input") | JSON,
        "datatype": st.just("FP32") | JSON,
        "shape": st.just([1, 1, 8, 8]) | JSON,
        "data": st.just([0] * 64) | JSON,
        "parameters": JSON,
    },
)
BODY = st.fixed_dictionaries(
    {}, optional={"inputs": st.lists(ENTRY, max_size=2) | JSON, "outputs": JSON, "id": JSON, "parameters": JSON}
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=BODY | JSON, tail=st.binary(max_size=300), length=st.none() | st.integers(0, 400))
def test_any_request_is_decoded_or_refused_with_a_4xx(body, tail, length):
    head = json.dumps(body).encode()
    header = None if length is None else str(length if length < 300 else len(head)).encode()
    try:
        decoded = codec_v2.decode(head + tail, header, (EXPECTED,), "scores")
    except RequestError as refusal:
        assert 400 <= refusal.status < 500 and refusal.body()
    else:
        assert decoded.inputs[0].dtype == np.float32 and decoded.inputs[0].shape[1:] == (1, 8, 8)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=200), length=st.none() | st.binary(max_size=5))
def test_any_bytes_are_refused_with_a_4xx(body, length):
    with pytest.raises(RequestError) as caught:
        codec_v2.decode(body, length, (EXPECTED,), "scores")
    assert 400 <= caught.value.status < 500
