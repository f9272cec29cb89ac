"""Archives of anything that can be loaded: unpacked member by member; links, ways out and bombs refused at once."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import struct
import subprocess
import sys
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
def test_members_that_lead_out_are_refused(tmp_path, name, mode, words):
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


def zip_bomb(path: Path, announced: int = 4_000_000_000) -> None:
    """A zip file of 40 kB that holds 40 MB of zeros, and announces another number of them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.bin", bytes(40_000_000))
    raw = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", raw, raw.index(mark) + place, announced)
    path.write_bytes(raw)


def overlapping_bomb(path: Path) -> None:
    """Members that announce little and share one packed body (Fifield 2019): refused by what they announce in all."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(30_000_000))
    raw = body.getvalue()
    end = raw.rindex(b"PK\x05\x06")
    start = struct.unpack("<I", raw[end + 16 : end + 20])[0]
    entry = raw[start:end]
    entries = b"".join(entry[:46] + bytes([65 + n % 26]) + entry[47:] for n in range(26))
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 26, 26, len(entries), start, 0)
    path.write_bytes(raw[:start] + entries + tail)


def tar_bomb(path: Path, opened) -> None:
    """A packed tar whose member announces 8 GB of zeros."""
    info = tarfile.TarInfo("zeros")
    info.size = 8 * 10**9
    with opened(path, "wb") as out:
        out.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):
            out.write(bytes(2**20))


def header_bomb(path: Path) -> None:
    """A tar whose extended header announces 4 GB: a reader that trusts it takes them all into memory."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 4 * 10**9
    with gzip.open(path, "wb") as out:
        out.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(256):
            out.write(bytes(2**20))


def npz_bomb(path: Path) -> None:
    np.savez_compressed(path, x=np.zeros((60_000_000,), np.uint8), y=np.zeros(3))


def idx_bomb(path: Path) -> None:
    with gzip.open(path, "wb") as out:
        out.write(struct.pack(">HBBIII", 0, 8, 3, 60_000, 280, 280))
        for _ in range(64):
            out.write(bytes(2**20))


MEASURED = """
import json, resource, sys, time
from pathlib import Path
import numpy, zipfile, tarfile, gzip, lzma
from lepton_lab.data.archives import unpack
from lepton_lab.data.array_files import read_idx, read_npz
from lepton_lab.errors import DataError
name, path, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
folder.mkdir()
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
try:
    read_npz(path) if name == "npz" else read_idx(path) if name == "idx" else unpack(path, folder, lambda part: None)
    said = ""
except DataError as error:
    said = str(error)
kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
written = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
print(json.dumps([said, time.monotonic() - start, kilobytes, written]))
"""


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("bomb.zip", zip_bomb),
        ("liar.zip", lambda path: zip_bomb(path, 1000)),
        ("overlap.zip", overlapping_bomb),
        ("bomb.tar.gz", lambda path: tar_bomb(path, gzip.open)),
        ("bomb.tar.xz", lambda path: tar_bomb(path, lzma.open)),
        ("header.tar.gz", header_bomb),
        ("bomb.npz", npz_bomb),
        ("bomb-idx3-ubyte.gz", idx_bomb),
    ],
)
def test_bombs_are_refused_at_once(tmp_path, name, make):
    path = tmp_path / name
    make(path)
    assert path.stat().st_size < 20_000_000
    kind = "npz" if name.endswith("npz") else "idx" if "idx" in name else "archive"
    command = [sys.executable, "-c", MEASURED, kind, str(path), str(tmp_path / "in")]
    said, seconds, kilobytes, written = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert name.split("-")[0] in said
    assert kilobytes < 200_000 and written < 200_000_000
    assert seconds < 10.0, "far beyond what a busy machine makes of the fraction of a second that it takes"


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
