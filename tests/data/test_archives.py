"""Archives of anything that can be loaded: unpacked member by member; links and ways out refused at once."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lepton_lab.data import load
from lepton_lab.data.archives import unpack
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two classes with 10 PNG pictures each."""
    draw = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(10):
            pixels = draw.integers(0, 256, (9, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / label / f"{number}.png")
    return tmp_path / "pets"


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
def test_a_packed_folder_loads_like_the_folder(store, pets, tmp_path, kind):
    path = tmp_path / f"pets.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(pets.rglob("*")):
                archive.write(file, file.relative_to(tmp_path))
    else:
        with tarfile.open(path, f"w:{kind.rpartition('.')[2].replace('tgz', 'gz').replace('tar', '')}") as archive:
            archive.add(pets, "pets")
    packed, plain = load(DataSpec(name=str(path)), store), load(DataSpec(name=str(pets)), store)
    assert packed.name == "pets" and packed.classes == ["cat", "dog"] and packed.spec.name == str(path)
    for part in plain.splits:
        assert packed.splits[part].inputs.tobytes() == plain.splits[part].inputs.tobytes()
    assert load(DataSpec(name=str(path)), store).fingerprint == packed.fingerprint


def test_a_part_of_an_archive_and_a_single_file(store, pets, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in sorted(pets.rglob("*.png")):
            archive.write(file, f"sets/{file.relative_to(tmp_path)}")
        archive.writestr("sets/table.csv", "a,b,label\n" + "".join(f"{n},{n * n % 7},{n % 2}\n" for n in range(40)))
    assert load(DataSpec(name=str(tmp_path / "all.zip" / "sets" / "pets")), store).modality == "image"
    assert load(DataSpec(name=str(tmp_path / "all.zip" / "sets" / "table.csv")), store).modality == "table"
    with pytest.raises(DataError, match=r"'all.zip' holds no 'sets/birds'"):
        load(DataSpec(name=str(tmp_path / "all.zip" / "sets" / "birds")), store)
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.write(tmp_path / "all.zip", "x/y/inner.npz")
    with pytest.raises(DataError) as caught:
        load(DataSpec(name=str(tmp_path / "one.zip")), store)
    assert "one.zip" in str(caught.value) and "unpacked-" not in str(caught.value)


def zipped(path: Path, *members: tuple[str, bytes, int]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return path


def tarred(path: Path, **fields) -> Path:
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("member")
        for name, value in fields.items():
            setattr(info, name, value)
        archive.addfile(info, io.BytesIO(b"x" * info.size))
    return path


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("../out.txt", 0, "refused"),
        ("a/../../out.txt", 0, "refused"),
        ("/out.txt", 0, "refused"),
        ("..\\out.txt", 0, "refused"),
        ("c:out.txt", 0, "refused"),
        ("x" * 300, 0, "refused"),
        ("/".join(["d"] * 60), 0, "refused"),
        ("link", 0o120777, "link or a device"),
        ("pipe", 0o010644, "link or a device"),
    ],
)
def test_members_that_lead_out_are_refused_CVE_2024_5187_CVE_2025_12060(tmp_path, name, mode, words):
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match=words):
        unpack(zipped(tmp_path / "a.zip", ("fine", b"x", 0), (name, b"/etc/passwd", mode)), tmp_path / "in", print)
    assert not list((tmp_path / "in").iterdir()), "nothing is written before all members were looked at"
    fields = {"name": name} if not mode else {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}
    with pytest.raises(DataError, match=words):
        unpack(tarred(tmp_path / "a.tar", **fields), tmp_path / "in", print)


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_tar_members_of_other_kinds_are_refused(tmp_path, kind):
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="link or a device"):
        unpack(tarred(tmp_path / "a.tar", type=kind, linkname="x"), tmp_path / "in", print)


def test_two_members_of_one_name_are_refused(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.warns(UserWarning, match="Duplicate"):
        path = zipped(tmp_path / "a.zip", ("x", b"1", 0), ("x", b"2", 0))
    with pytest.raises(DataError, match="twice"):
        unpack(path, tmp_path / "in", print)


def test_a_password_and_damage_are_said(tmp_path):
    (tmp_path / "in").mkdir()
    path = zipped(tmp_path / "a.zip", ("x", b"1" * 100, 0))
    raw = bytearray(path.read_bytes())
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"'a.zip' cannot be unpacked"):
        unpack(path, tmp_path / "in", print)
    path.write_bytes(b"PK nothing")
    with pytest.raises(DataError, match=r"'a.zip' is damaged"):
        unpack(path, tmp_path / "in", print)
