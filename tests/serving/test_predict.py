"""/predict takes what a person has; whatever else comes is a 4xx that names the field."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from lepton_lab.serving.requests import MAX_ROWS


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


async def test_pictures_and_arrays_get_the_same_answer(served, digits):
    raw, png = digits.raw_sample("test", 3), digits.sample_png("test", 3)
    prepared = digits.preparation.apply(np.asarray(digits.splits["test"].inputs[3:4]))
    infer = {
        "inputs": [{"name": "input", "shape": [1, 1, 8, 8], "datatype": "FP32", "data": prepared.ravel().tolist()}]
    }
    scores = (await served.client.post("/v2/models/digits/infer", json=infer)).json()["outputs"][0]["data"]
    bodies = [
        {"json": {"instances": [np.asarray(raw).tolist()]}},
        {"json": {"instances": [{"b64": base64.b64encode(png).decode()}]}},
        {"content": png, "headers": {"Content-Type": "image/png"}},
        {"content": png, "headers": {"Content-Type": "application/octet-stream"}},
        {"files": {"file": ("a.png", png, "image/png")}},
    ]
    for body in bodies:
        answer = await served.client.post("/predict", **body)
        assert answer.status_code == 200, answer.text
        (prediction,) = answer.json()["predictions"]
        assert np.allclose(list(prediction["scores"].values()), scores, atol=1e-6)
        assert prediction["label"] == digits.classes[int(np.argmax(scores))]
        assert prediction["confidence"] == max(prediction["scores"].values())


async def test_the_decoder_is_chosen_by_the_content_not_by_the_header_CVE_2025_27520(served, digits):
    png = digits.sample_png("test", 0)
    for kind in ("image/jpeg", "image/svg+xml", "image/x-pickle"):
        answer = await served.client.post("/predict", content=png, headers={"Content-Type": kind})
        assert answer.status_code == 200
    svg = await served.client.post("/predict", content=b"<svg/>", headers={"Content-Type": "image/png"})
    assert svg.status_code == 422


async def test_several_files_keep_their_order(served, digits):
    files = [("file", (f"{row}.png", digits.sample_png("test", row), "image/png")) for row in range(5)]
    answers = (await served.client.post("/predict", files=files)).json()["predictions"]
    single = [(await served.client.post("/predict", files=[file])).json()["predictions"][0] for file in files]
    assert [a["label"] for a in answers] == [a["label"] for a in single]


async def test_top_bounds_the_classes(served, digits):
    png = digits.sample_png("test", 0)
    answer = await served.client.post("/predict?top=3", content=png, headers={"Content-Type": "image/png"})
    scores = list(answer.json()["predictions"][0]["scores"].values())
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    for top in ("0", "-1", "x", "1e9", "9" * 30, ""):
        answer = await served.client.post(f"/predict?top={top}", content=png)
        assert answer.status_code == 422 and answer.json()["field"] == "top"


@pytest.mark.parametrize(
    ("content", "status", "named"),
    [
        (b"", 400, "body"),
        (b"{", 400, "body"),
        (b"[" * 100_000, 400, "body"),
        (b'{"instances": ' + b"[" * 500 + b"]" * 500 + b"}", 422, "instances"),
        (b"[1, 2]", 422, "body"),
        (b'"text"', 422, "body"),
        (b"{}", 422, "instances"),
        (b'{"instances": []}', 422, "instances"),
        (b'{"instances": 5}', 422, "instances"),
        (b'{"instances": [[1, 2]]}', 422, "instances"),
        (b'{"instances": [[["a"]]]}', 422, "instances"),
        (b'{"instances": [null]}', 422, "instances"),
        (b'{"instances": [{"b64": "***"}]}', 422, "instances[0].b64"),
        (b'{"instances": [{"url": "http://127.0.0.1/x"}]}', 422, "instances"),
        (b'{"instances": ["http://127.0.0.1/x"]}', 422, "instances"),
        (b'{"instances": [[[1e400]]]}', None, None),
        (b'{"instances": [[[NaN]]]}', 400, "body"),
        (b'{"instances": [], "other": 1}', 422, "other"),
        (b'{"instances": [[[123456789012345678901234567890]]]}', None, None),
        (b"\xff\xfe{}", 400, "body"),
    ],
)
async def test_bad_json_is_a_4xx_that_names_the_field(served, content, status, named):
    answer = await served.client.post("/predict", content=content, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500, answer.text
    if status:
        assert (answer.status_code, answer.json()["field"]) == (status, named), answer.text


async def test_too_many_rows_are_413(served):
    body = {"instances": [0] * (MAX_ROWS + 1)}
    assert (await served.client.post("/predict", json=body)).status_code == 413


async def test_other_content_types_are_415(served):
    for kind in ("application/x-python-pickle", "text/html", "application/xml", "text/csv"):
        answer = await served.client.post("/predict", content=b"x", headers={"Content-Type": kind})
        assert answer.status_code == 415 and answer.json()["field"] == "Content-Type"


@pytest.mark.parametrize("boundary", ["", "; boundary=", "; boundary=x", "; boundary=" + "y" * 5000])
async def test_broken_forms_are_a_4xx(served, boundary):
    headers = {"Content-Type": "multipart/form-data" + boundary}
    for body in (b"", b"--x", b"--x\r\n\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\nv\r\n--x--", b"\0" * 99):
        answer = await served.client.post("/predict", content=body, headers=headers)
        assert 400 <= answer.status_code < 500, (boundary, body, answer.text)


async def test_a_picture_bomb_is_refused_CVE_2026_40192(served):
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 65_000, 65_000, 8, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(2**20))) + chunk(b"IEND", b"")
    answer = await served.client.post("/predict", content=bomb, headers={"Content-Type": "image/png"})
    assert answer.status_code == 422
    gif = b"GIF89a" + bytes(40)
    assert (await served.client.post("/predict", content=gif, headers={"Content-Type": "image/gif"})).status_code == 422


async def test_a_colour_picture_of_another_size_is_read(served):
    png = _png(np.random.default_rng(0).integers(0, 255, (40, 30, 3)))
    answer = await served.client.post("/predict", content=png, headers={"Content-Type": "image/png"})
    assert answer.status_code in (200, 422)


async def test_table_rows_in_every_form_get_the_same_answer(served_table, table):
    row = {"age": 61.5, "city": "Oslo"}
    forms = {"file": None, **{name: (None, str(value)) for name, value in row.items()}}
    bodies = [
        {"json": {"instances": [row]}},
        {"json": row},
        {"json": {"instances": [[61.5, "Oslo"]]}},
        {"json": {"instances": ["61.5,Oslo"]}},
        {"content": b"61.5,Oslo", "headers": {"Content-Type": "text/csv"}},
        {
            "content": "\ufeffcity,age\r\nOslo, 61.5\r\n".encode(),
            "headers": {"Content-Type": "text/csv; charset=utf-8"},
        },
        {"files": {name: value for name, value in forms.items() if value}},
    ]
    seen = []
    for body in bodies:
        answer = await served_table.client.post("/predict", **body)
        assert answer.status_code == 200, (body, answer.text)
        seen.append(answer.json()["predictions"])
    assert all(found == seen[0] for found in seen)
    assert seen[0][0]["label"] in table.classes


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"age": "x", "city": "Oslo"}', "application/json", 422),
        (b'{"age": 1e999, "city": "Oslo"}', "application/json", None),
        (b'{"city": "Oslo"}', "application/json", 422),
        (b'{"age": [1], "city": {}}', "application/json", 422),
        (b"1,2,3", "text/csv", 422),
        (b"age,city\n1", "text/csv", 422),
        (b"\xff", "text/csv", 400),
        (b'"open', "text/csv", 400),
        (b"", "text/csv", 422),
    ],
)
async def test_bad_rows_are_a_4xx_that_says_which(served_table, content, kind, status):
    answer = await served_table.client.post("/predict", content=content, headers={"Content-Type": kind})
    assert 400 <= answer.status_code < 500 and answer.json()["error"], answer.text
    if status:
        assert answer.status_code == status, answer.text


async def test_info_and_example_are_what_the_page_needs(served, served_table):
    info = (await served_table.client.get("/info")).json()
    assert info["columns"] == ["age", "city"] and set(info["choices"]["city"]) == {"Oslo", "Paris", "北京"}
    assert (await served_table.client.post("/predict", json=info["example"]["row"])).status_code == 200
    assert (await served_table.client.get("/example")).status_code == 404
    picture = await served.client.get("/example")
    assert picture.headers["content-type"] == "image/png"
    assert (await served.client.post("/predict", content=picture.content)).status_code in (200, 400)


async def test_the_openapi_document_describes_the_live_routes(served, served_table):
    for here in (served, served_table):
        document = (await here.client.get("/openapi.json")).json()
        live = {route.path.replace("{model}", here.host.name) for route in here.app.router.routes}
        live = {path for path in live if "{version}" not in path} - {"/"}
        if here is served_table:
            live -= {"/example"}
        assert set(document["paths"]) == live
        assert json.dumps(document).count("$ref") > 5
