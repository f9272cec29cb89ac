"""A bundle is verified data: every change, link and stray file is refused, and the file is published whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from lepton_lab.errors import ServingError, StoreError
from lepton_lab.runs.atomic import Disk
from lepton_lab.serving import bundle as bundles
from lepton_lab.serving.folders import publish_folder
from lepton_lab.serving.manifest import Manifest
from lepton_lab.serving.onnx_guard import check_model


@pytest.fixture
def copy(bundle_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(bundle_folder, tmp_path / "copy")
    return tmp_path / "copy"


def test_loads_what_was_exported(bundle_folder, digits):
    bundle = bundles.load(bundle_folder)
    assert bundle.manifest.classes == tuple(digits.classes)
    assert bundle.manifest.input.shape == (-1, 1, 8, 8)
    rows = np.asarray(digits.splits["test"].inputs[:3])
    assert np.array_equal(bundle.preparation.apply(rows), digits.preparation.apply(rows))


def test_the_same_content_has_the_same_address(bundle_folder, other_folder, tmp_path):
    bundle = bundles.load(bundle_folder)
    later = bundle.manifest.model_copy(update={"created": 1.0, "export_seconds": 9.0})
    again = bundles.write(tmp_path / "again", later, bundle.files)
    assert again.sha256 == bundle.sha256 != bundles.load(other_folder).sha256


@pytest.mark.parametrize("name", ["model.onnx", "example.png"])
def test_a_flipped_bit_is_found(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ServingError, match=f"{name} was changed"):
        bundles.load(copy)


def test_a_truncated_or_longer_file_is_found(copy):
    path = copy / "model.onnx"
    content = path.read_bytes()
    for changed in (content[:-1], content + b"\0"):
        path.write_bytes(changed)
        with pytest.raises(ServingError):
            bundles.load(copy)


def test_a_changed_manifest_is_found(copy):
    values = json.loads((copy / "bundle.json").read_text())
    values["classes"][0] = "nine"
    (copy / "bundle.json").write_text(json.dumps(values))
    with pytest.raises(ServingError, match=r"bundle\.json was changed"):
        bundles.load(copy)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda values: values.update(format=2), "has format 2"),
        (lambda values: values.update(surprise=1), "surprise"),
        (lambda values: values["files"].update({"../x": {"sha256": "0" * 64, "bytes": 1}}), "files"),
        (lambda values: values["files"].pop("model.onnx"), "files has neither model"),
        (lambda values: values["output"].update(shape=[-1, 3]), "shape"),
        (lambda values: values["input"].update(shape=[2, 8, 8]), "expected"),
        (lambda values: values.update(preparation={"kind": "os.system"}), "was changed"),
    ],
)
def test_a_strange_manifest_is_refused(copy, change: Callable, sentence):
    values = json.loads((copy / "bundle.json").read_text())
    change(values)
    (copy / "bundle.json").write_text(json.dumps(values))
    with pytest.raises(ServingError, match=sentence):
        bundles.load(copy)


def test_a_foreign_preparation_is_refused_even_when_sealed(bundle_folder, tmp_path):
    bundle = bundles.load(bundle_folder)
    for strange in ({"kind": "os.system"}, {}, {"kind": "image"}, {"kind": "image", "mean": "x"}):
        changed = bundle.manifest.model_copy(update={"preparation": strange})
        with pytest.raises(ServingError, match="preparation"):
            bundles.write(tmp_path / "strange", changed, bundle.files)


def test_a_stray_file_is_refused_so_that_no_pickle_rides_along_CVE_2024_2912(copy):
    (copy / "model.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(ServingError, match=r"model\.pkl"):
        bundles.load(copy)


def test_a_symlinked_file_is_refused_CVE_2024_27318(copy, tmp_path):
    (copy / "model.onnx").rename(tmp_path / "elsewhere")
    (copy / "model.onnx").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ServingError, match="links"):
        bundles.load(copy)


def test_a_symlinked_bundle_is_refused(copy, tmp_path):
    (tmp_path / "link").symlink_to(copy)
    with pytest.raises(ServingError, match="no bundle"):
        bundles.load(tmp_path / "link")


def test_a_fifo_is_refused_at_once(copy):
    import os

    (copy / "model.onnx").unlink()
    os.mkfifo(copy / "model.onnx")
    with pytest.raises(ServingError, match="plain file"):
        bundles.load(copy)


def _model_with(tensor: TensorProto, *, hidden: bool = False) -> bytes:
    """A tiny model whose weight is this tensor; hidden: inside the branch of an If."""
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 1])
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 1])]
    if hidden:
        constant = helper.make_node("Constant", [], ["w"])
        constant.attribute.append(helper.make_attribute("value", tensor))
        branch = helper.make_graph([constant], "branch", [], [helper.make_tensor_value_info("w", 1, None)])
        condition = helper.make_node("If", ["c"], ["scores"], then_branch=branch, else_branch=branch)
        graph = helper.make_graph([condition], "g", inputs, [scores])
    else:
        graph = helper.make_graph(
            [helper.make_node("Add", ["input", "w"], ["scores"])], "g", inputs, [scores], [tensor]
        )
    content: bytes = helper.make_model(graph).SerializeToString()
    return content


def _external(location: str) -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        pytest.param("../../etc/passwd", "'..'", id="parent_CVE_2022_25882"),
        pytest.param("weights/../../secret", "'..'", id="parent_inside_CVE_2024_27318"),
        pytest.param("/etc/passwd", "absolute", id="absolute_CVE_2025_51480"),
        pytest.param("weights.bin", "another file", id="link_CVE_2026_27489"),
        pytest.param("..\\secret", "'..'", id="backslash_CVE_2022_25882"),
    ],
)
@pytest.mark.parametrize("hidden", [False, True])
def test_external_data_is_refused(location, kind, hidden):
    with pytest.raises(ServingError, match=kind.replace(".", r"\.")):
        check_model(_model_with(_external(location), hidden=hidden))


def test_external_data_is_refused_at_load_before_the_engine_sees_it_CVE_2025_51480(copy):
    values = json.loads((copy / "bundle.json").read_text())
    (copy / "model.onnx").write_bytes(_model_with(_external("/etc/passwd")))
    import hashlib

    content = (copy / "model.onnx").read_bytes()
    values["files"]["model.onnx"] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (copy / "bundle.json").write_bytes(Manifest.model_validate(values).sealed().to_json())
    with pytest.raises(ServingError, match="absolute path"):
        bundles.load(copy)


def test_foreign_operators_and_rubbish_are_refused():
    graph = helper.make_graph([helper.make_node("Run", ["input"], ["scores"], domain="evil")], "g", [], [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("evil", 1)])
    with pytest.raises(ServingError, match="evil"):
        check_model(model.SerializeToString())
    for rubbish in (b"", b"rubbish" * 9, onnx.ModelProto().SerializeToString()):
        with pytest.raises(ServingError):
            check_model(rubbish)


def test_a_full_disk_leaves_the_old_folder(tmp_path):
    class Full(Disk):
        def fsync(self, fd: int) -> None:
            raise OSError(28, "No space left on device")

    publish_folder(tmp_path / "b", {"a": b"old"})
    with pytest.raises(StoreError, match="full"):
        publish_folder(tmp_path / "b", {"a": b"new"}, disk=Full())
    assert (tmp_path / "b" / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_failed_swap_brings_the_old_folder_back(tmp_path):
    class NoSecondRename(Disk):
        renames = 0

        def rename(self, source: Path, target: Path) -> None:
            if target.name == "b":
                raise OSError(5, "Input/output error")
            super().rename(source, target)

    publish_folder(tmp_path / "b", {"a": b"old"})
    with pytest.raises(StoreError):
        publish_folder(tmp_path / "b", {"a": b"new"}, disk=NoSecondRename())
    assert (tmp_path / "b" / "a").read_bytes() == b"old"


def test_folders_and_files_are_the_owners_alone(tmp_path, bundle_folder):
    bundles.load(bundle_folder).copy_to(tmp_path / "v" / "1")
    assert (tmp_path / "v" / "1").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "v" / "1").iterdir()} == {0o600}
