"""Folders of pictures: classes, sizes, channels, broken files and bombs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lepton_lab.data import load
from lepton_lab.data.filling import Job, Layout, fill_arrays
from lepton_lab.data.pictures import decode_picture
from lepton_lab.errors import DataError, SpecError
from lepton_lab.specs import DataSpec
from tests.data.bombs import png_bomb

DRAW = np.random.default_rng(0)


def noise(mode: str = "RGB", width: int = 12, height: int = 10) -> Image.Image:
    shape = (height, width) if mode == "L" else (height, width, len(mode))
    return Image.fromarray(DRAW.integers(0, 256, shape, dtype=np.uint8), mode=None)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two classes with 20 PNG pictures each, 12x10 RGB."""
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(20):
            noise().save(tmp_path / "pets" / label / f"{number}.png")
    return tmp_path / "pets"


def kinds(dataset) -> set[str]:
    return {warning["kind"] for warning in dataset.card().to_dict()["warnings"]}


def test_sign_language_digits(store, material):
    signs = load(DataSpec(name=str(material / "sign-language-digits" / "images")), store)
    assert signs.name == "sign-language-digits" and signs.classes == list("0123456789")
    assert signs.input_shape == (3, 64, 64) and signs.card().num_rows == 1000
    files = sorted((material / "sign-language-digits" / "images").glob("*/*.JPG"))
    test = signs.splits["test"]
    raw = [files[row].read_bytes() for row in test.row_ids]
    assert signs.preparation.from_raw(raw).tobytes() == signs.preparation.apply(test.inputs).tobytes()


def test_small_pictures_keep_their_size_and_their_bits(store, pets):
    dataset = load(DataSpec(name=str(pets)), store)
    assert dataset.input_shape == (3, 10, 12) and kinds(dataset) == set()
    files = sorted(pets.glob("*/*.png"), key=lambda path: (path.parent.name, path.name))
    test = dataset.splits["test"]
    expected = dataset.preparation.apply(test.inputs)
    raw = [files[row].read_bytes() for row in test.row_ids]
    assert dataset.preparation.from_raw(raw).tobytes() == expected.tobytes()
    pngs = [dataset.sample_png("test", row) for row in range(len(test))]
    assert dataset.preparation.from_raw(pngs).tobytes() == expected.tobytes()


def test_formats_modes_and_sizes_are_brought_together(store, pets):
    noise("RGBA", 30, 20).save(pets / "cat" / "a.webp", lossless=True)
    noise("RGB", 40, 50).save(pets / "cat" / "b.JPEG")
    noise("L", 9, 90).save(pets / "dog" / "c.bmp")
    noise("RGB").quantize(8).save(pets / "dog" / "d.png")
    dataset = load(DataSpec(name=str(pets), image_size=16), store)
    assert dataset.input_shape == (3, 16, 16) and dataset.card().num_rows == 44


def test_grey_pictures_have_one_channel(store, pets):
    for path in pets.glob("*/*.png"):
        Image.open(path).convert("L").save(path)
    assert load(DataSpec(name=str(pets)), store).input_shape == (1, 10, 12)


def test_parts_of_the_source_are_kept(store, pets, tmp_path):
    for part in ("train", "test"):
        (tmp_path / "split" / part).mkdir(parents=True)
        for label in ("cat", "dog"):
            (tmp_path / "split" / part / label).mkdir()
            for number in range(4, 20) if part == "train" else range(4):
                content = (pets / label / f"{number}.png").read_bytes()
                (tmp_path / "split" / part / label / f"{number}.png").write_bytes(content)
    dataset = load(DataSpec(name=str(tmp_path / "split")), store)
    assert dataset.classes == ["cat", "dog"]
    assert {name: len(rows) for name, rows in dataset.splits.items()} == {"train": 29, "validation": 3, "test": 8}


def test_a_changed_picture_is_noticed(store, pets):
    before = load(DataSpec(name=str(pets)), store).fingerprint
    assert load(DataSpec(name=str(pets)), store).fingerprint == before
    noise().save(pets / "cat" / "3.png")
    after = load(DataSpec(name=str(pets)), store).fingerprint
    assert after != before
    (pets / "cat" / "3.png").rename(pets / "dog" / "33.png")
    assert load(DataSpec(name=str(pets)), store).fingerprint != after


def test_broken_pictures_are_named_and_counted(store, pets):
    whole = (pets / "cat" / "3.png").read_bytes()
    (pets / "cat" / "3.png").write_bytes(whole[:-60])
    (pets / "dog" / "4.png").write_bytes(whole[:-60])
    with pytest.raises(DataError, match=r"'cat/3.png' in .*damaged.*1 more pictures are broken"):
        load(DataSpec(name=str(pets)), store)
    (pets / "cat" / "3.png").write_bytes(b"<svg onload=alert(1)>")
    with pytest.raises(DataError, match=r"'cat/3\.png' in .*not a readable PNG"):
        load(DataSpec(name=str(pets)), store)


def test_what_is_left_out_is_said(store, pets):
    (pets / "notes.txt").write_text("x")
    noise().save(pets / "stray.png")
    assert {"pictures_left_out", "files_left_out"} <= kinds(load(DataSpec(name=str(pets)), store))


def test_labels_from_names_and_tables_and_pictures_that_are_not_cut(store, pets):
    for label in ("cat", "dog"):
        for path in sorted((pets / label).iterdir()):
            path.rename(pets / f"{label}-{int(path.stem) % 4}-{path.name}")
        (pets / label).rmdir()
    spec = DataSpec(
        name=str(pets), pattern="{label}-{house}-{index}", roles="house=group", image_fit="pad", image_size=16
    )
    dataset = load(spec, store)
    names = sorted(path.stem for path in pets.iterdir())
    houses = {part: {names[row].split("-")[1] for row in split.row_ids} for part, split in dataset.splits.items()}
    assert dataset.classes == ["cat", "dog"] and not houses["train"] & houses["test"]
    assert (dataset.splits["train"].inputs[0][:, 0] == 128).all()
    sent = [sorted(pets.iterdir())[row].read_bytes() for row in dataset.splits["test"].row_ids]
    expected = dataset.preparation.apply(dataset.splits["test"].inputs)
    assert dataset.preparation.from_raw(sent).tobytes() == expected.tobytes()
    table = "\n".join(["file,label", *(f"{name}.png,{name[0]}" for name in names)])
    (pets / "labels.csv").write_text(table)
    assert load(DataSpec(name=str(pets)), store).classes == ["c", "d"]


def test_a_large_jpeg_is_decoded_small_and_looks_the_same():
    smooth = np.add.outer(np.linspace(0, 127, 400), np.linspace(0, 127, 600))
    content = encoded(Image.fromarray(smooth.astype(np.uint8)), "JPEG", quality=95)
    pixels = decode_picture(content, channels=1, height=40, width=60)[0].astype(int)
    exact = np.add.outer(np.linspace(0, 127, 40), np.linspace(0, 127, 60))
    assert np.abs(pixels - exact).max() < 8


def test_several_processes_write_one_store(store, pets):
    files = sorted(pets.glob("*/*.png"))
    job = Job(
        "pictures", {"channels": 3, "height": 8, "width": 8, "fit": "crop"}, files, [Layout("|u1", (40, 3, 8, 8))]
    )
    (alone,), _ = fill_arrays(job, store, lambda *_: None, "x", workers=1)
    (together,), _ = fill_arrays(job, store, lambda *_: None, "x", workers=3)
    assert alone.tobytes() == together.tobytes() and alone.any()
    files[7].write_bytes(b"no picture")
    _, broken = fill_arrays(job, store, lambda *_: None, "x", workers=2)
    assert [path for path, _ in broken] == [files[7]]


def test_the_same_picture_in_two_parts_is_noticed(store, pets):
    content = (pets / "cat" / "0.png").read_bytes()
    for path in pets.glob("cat/*.png"):
        path.write_bytes(content)
    dataset = load(DataSpec(name=str(pets)), store)
    assert "duplicates" in kinds(dataset)


def test_pictures_that_differ_in_one_pixel_are_not_the_same(store, pets):
    picture = Image.open(pets / "cat" / "0.png").convert("RGB")
    paths = sorted(pets.glob("*/*.png"))
    for number, path in enumerate(paths):
        changed = picture.copy()
        place = (number % picture.width, number // picture.width)
        changed.putpixel(place, tuple(255 - level for level in changed.getpixel(place)))
        changed.save(path)
    assert len(paths) > 20 and "duplicates" not in kinds(load(DataSpec(name=str(pets)), store))


def test_one_folder_is_one_class(store, pets):
    for path in pets.glob("dog/*.png"):
        path.unlink()
    dataset = load(DataSpec(name=str(pets)), store)
    assert "one_class" in kinds(dataset)
    with pytest.raises(DataError, match="'cat'"):
        dataset.require_trainable()


def test_a_folder_without_pictures(store, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no pictures"):
        load(DataSpec(name=str(tmp_path / "empty")), store)
    with pytest.raises(SpecError, match="target names the column"):
        load(DataSpec(name=str(tmp_path / "empty"), target="x"), store)
    for name in ("red.csv", "white.csv"):
        (tmp_path / "empty" / name).write_text("a,label\n1,x\n")
    with pytest.raises(DataError, match=r"holds 2 tables \('red.csv', 'white.csv'\).*name one of them"):
        load(DataSpec(name=str(tmp_path / "empty")), store)


@pytest.mark.parametrize("size", [(64_000, 64_000), (12_000, 12_000), (8_000, 8_000)])
def test_pictures_that_announce_too_much_are_refused(size):
    with pytest.raises(DataError, match="pixels"):
        decode_picture(png_bomb(*size), channels=3, height=8, width=8)


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def test_other_formats_are_refused():
    for kind in ("GIF", "TIFF", "PPM", "ICO"):
        with pytest.raises(DataError, match="not a readable PNG, JPEG, WebP or BMP"):
            decode_picture(encoded(noise(), kind), channels=3, height=8, width=8)


def test_transparency_is_white_and_cameras_are_turned():
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert (decode_picture(encoded(clear, "PNG"), channels=3, height=4, width=4) == 255).all()
    sideways = Image.new("L", (8, 4), 0)
    sideways.paste(255, (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode_picture(encoded(sideways, "PNG", exif=exif), channels=1, height=8, width=4)[0]
    assert turned[:4].min() == 255 and turned[4:].max() == 0


def test_deep_grey_is_not_cut_to_white():
    ramp = Image.fromarray(np.linspace(0, 65_535, 64).astype(np.uint16).reshape(8, 8))
    pixels = decode_picture(encoded(ramp, "PNG"), channels=1, height=8, width=8)
    assert pixels.min() == 0 and pixels.max() == 255 and len(np.unique(pixels)) == 64


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_mutated_files_never_raise_anything_else(kind):
    whole = encoded(noise(width=40, height=30), kind)
    for trial in range(150):
        draw = np.random.default_rng(trial)
        broken = bytearray(whole)
        for place in draw.integers(0, len(broken), 4):
            broken[place] = draw.integers(0, 256)
        content = bytes(broken[: draw.integers(1, len(broken))] if trial % 3 == 0 else broken)
        try:
            pixels = decode_picture(content, channels=3, height=16, width=16)
        except DataError as error:
            assert "\n" not in str(error)
        else:
            assert pixels.shape == (3, 16, 16) and pixels.dtype == np.uint8
