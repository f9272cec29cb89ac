"""Arrays in files: NPY, NPZ and IDX. Nothing is unpickled, no more is read than a header announces."""

from __future__ import annotations

import gzip
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from lepton_lab.data.limits import check_unpacked
from lepton_lab.errors import DataError

_CHUNK_BYTES = 2**24
_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_npy(path: Path) -> np.ndarray:
    """A .npy file, mapped into memory.

    Raises:
        DataError: Names the file and what is wrong with it.
    """
    where = f"{path.name!r}"
    try:
        with path.open("rb") as stream:
            dtype, shape, fortran = _npy_header(stream, where)
            begin, there = stream.tell(), path.stat().st_size - stream.tell()
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    num_bytes = math.prod(shape) * dtype.itemsize
    if there != num_bytes:
        raise DataError(f"{where} announces {num_bytes:,} bytes of numbers and has {there:,}; get it again.")
    if not num_bytes:
        raise DataError(f"{where} holds an array of shape {shape} without any number.")
    flat: np.ndarray = np.memmap(path, dtype=dtype, mode="r", offset=begin, shape=(math.prod(shape),))
    return flat.reshape(shape, order="F" if fortran else "C")


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a .npz file by name.

    Raises:
        DataError: Names the file and the member that is wrong.
    """
    arrays: dict[str, np.ndarray] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            check_unpacked(path.stat().st_size, sum(member.file_size for member in members), f"{path.name!r}")
            for member in members:
                where = f"{path.name!r}, member {member.filename!r}"
                if not member.filename.endswith(".npy"):
                    raise DataError(f"{where} is no array; expected a file that numpy.savez wrote.")
                check_unpacked(member.compress_size, member.file_size, where)
                with archive.open(member) as stream:
                    arrays[member.filename.removesuffix(".npy")] = _read_member(stream, member.file_size, where)
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from None
    except Exception as error:  # a mutated archive can raise nearly anything out of the reader
        raise DataError(f"{path.name!r} is damaged ({str(error)[:150]}); get it again.") from None
    return arrays


def _read_member(stream: IO[bytes], num_bytes: int, where: str) -> np.ndarray:
    dtype, shape, fortran = _npy_header(stream, where)
    wanted = math.prod(shape) * dtype.itemsize
    if wanted > num_bytes:
        raise DataError(f"{where} announces {wanted:,} bytes of numbers and has fewer; get it again.")
    try:
        content = _exactly(stream, wanted)
        rest = stream.read(1)
    except (EOFError, zlib.error, zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{where} is damaged ({error}); get it again.") from None
    if len(content) != wanted or rest:
        raise DataError(f"{where} has not the {wanted:,} bytes of numbers that it announces; get it again.")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def _npy_header(stream: IO[bytes], where: str) -> tuple[np.dtype, tuple[int, ...], bool]:
    """Type, shape and order of an array; only plain numbers are let through."""
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except Exception as error:  # a mutated header can raise nearly anything out of the parser
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{where} has no readable NPY header ({said[:100]}).") from None
    if dtype.hasobject or dtype.kind not in "biufUS":
        raise DataError(
            f"{where} holds values of type {dtype}; expected numbers or texts. Objects are never unpickled."
        )
    if any(size < 0 for size in shape):
        raise DataError(f"{where} announces the shape {shape}, which cannot be.")
    return dtype, tuple(int(size) for size in shape), bool(fortran)


def read_idx(path: Path) -> np.ndarray:
    """Reads an IDX file, gzip or plain (format: the MNIST page of Y. LeCun).

    Raises:
        DataError: Names the file when it is damaged, no IDX file, or would unpack to more than makes sense.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as stream:
            zero, kind, num_dimensions = struct.unpack(">HBB", stream.read(4))
            if zero or kind not in _IDX_TYPES or not 1 <= num_dimensions <= 4:
                raise DataError(f"{str(path)!r} is not an IDX file of numbers.")
            dtype = np.dtype(_IDX_TYPES[kind])
            shape = struct.unpack(f">{num_dimensions}I", stream.read(4 * num_dimensions))
            num_bytes = math.prod(shape) * dtype.itemsize
            if not packed and num_bytes > size:
                raise DataError(
                    f"{str(path)!r} has not the {num_bytes:,} bytes that its header announces; get it again."
                )
            check_unpacked(size, num_bytes, f"{path.name!r}")
            content = _exactly(stream, num_bytes)
            rest = stream.read(1)
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise DataError(f"{str(path)!r} is damaged ({error}); get it again.") from None
    if len(content) != num_bytes or rest:
        raise DataError(f"{str(path)!r} has not the {num_bytes:,} bytes that its header announces; get it again.")
    return np.frombuffer(content, dtype).astype(dtype.newbyteorder("="), copy=False).reshape(shape)


def _exactly(stream: Any, num_bytes: int) -> bytes:
    """As many bytes, or fewer where the stream ends; read in parts, so that memory grows with what is really there."""
    parts, there = [], 0
    while there < num_bytes:
        part = stream.read(min(_CHUNK_BYTES, num_bytes - there))
        if not part:
            break
        parts.append(part)
        there += len(part)
    return b"".join(parts)
