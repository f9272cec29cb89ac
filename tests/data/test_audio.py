"""Sounds: folders with labels from names, folders and tables; spectrograms; broken files; the same bits from a file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lepton_lab.data import Preparation, load, sound, spectrum
from lepton_lab.errors import DataError, SpecError, UnknownName
from lepton_lab.specs import DataSpec

DIGITS = "{label}_{speaker}_{index}"


def tone(hertz: float, seconds: float = 0.3, rate: int = 8000) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def write(path: Path, samples: np.ndarray, rate: int = 8000, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **options)
    return path


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    """Two classes of 12 WAV files by three speakers, named label_speaker_index."""
    for number in range(12):
        for label, hertz in (("low", 200), ("high", 2000)):
            name = f"{label}_{'abc'[number % 3]}_{number}.wav"
            write(tmp_path / "tones" / name, tone(hertz + 10 * number, 0.2 + 0.01 * number))
    return tmp_path / "tones"


def test_a_file_and_its_clip_give_the_bits_of_training(store, tones):
    dataset = load(DataSpec(name=str(tones), pattern=DIGITS), store)
    again, test = Preparation.from_dict(dataset.preparation.to_dict()), dataset.splits["test"]
    expected = again.apply(test.inputs).tobytes()
    files = sorted(tones.iterdir())
    assert again.from_raw([files[row].read_bytes() for row in test.row_ids]).tobytes() == expected
    assert again.from_raw([dataset.raw_sample("test", row) for row in range(len(test))]).tobytes() == expected
    assert again.from_raw([np.asarray(clip) for clip in test.raw]).tobytes() == expected


def test_a_speaker_left_out_is_in_no_other_part(store, tones):
    spec = DataSpec(name=str(tones), pattern=DIGITS, test_where="speaker=b", roles="speaker=group", test_fraction=0.2)
    dataset = load(spec, store)
    names = sorted(path.stem for path in tones.iterdir())
    speakers = {part: {names[row].split("_")[1] for row in split.row_ids} for part, split in dataset.splits.items()}
    assert speakers["test"] == {"b"} and not speakers["train"] & speakers["validation"]
    assert "b" not in speakers["train"] | speakers["validation"]


def test_labels_from_folders_parts_and_tables(store, tones, tmp_path):
    for path in tones.iterdir():
        label, _, number = path.stem.split("_")
        write(tmp_path / "parts" / ("test" if int(number) < 3 else "train") / label / path.name, tone(300), 8000)
    parts = load(DataSpec(name=str(tmp_path / "parts")), store)
    assert parts.classes == ["high", "low"] and len(parts.splits["test"]) == 6
    lines = [
        f"{path.name},{path.stem.split('_')[0]},{'test' if '_a_' in path.name else 'train'}" for path in tones.iterdir()
    ]
    (tones / "labels.csv").write_text("\n".join(["filename,label,split", *lines]))
    table = load(DataSpec(name=str(tones)), store)
    assert table.classes == ["high", "low"] and len(table.splits["test"]) == 8
    (tones / "labels.csv").write_text(
        "\n".join(["filename,label", *(line.rsplit(",", 1)[0] for line in lines), "x.wav,low"])
    )
    with pytest.raises(DataError, match=r"row 25: there is no file 'x.wav'"):
        load(DataSpec(name=str(tones)), store)


def test_lists_of_the_makers_and_a_folder_around_everything(store, tones, tmp_path):
    inner = tmp_path / "set" / "sounds"
    for path in tones.iterdir():
        label = path.stem.split("_")[0]
        (inner / label).mkdir(parents=True, exist_ok=True)
        path.rename(inner / label / f"{path.stem}.wav")
    (tmp_path / "set" / "README.md").write_text("about")
    assert load(DataSpec(name=str(tmp_path / "set")), store).classes == ["high", "low"]
    (inner / "testing_list.txt").write_text("low/low_a_0.wav\nhigh/high_b_1.wav\n")
    (inner / "validation_list.txt").write_text("low/low_a_3.wav\n")
    dataset = load(DataSpec(name=str(inner)), store)
    files = sorted(inner.glob("*/*.wav"))
    assert {files[row].name for row in dataset.splits["test"].row_ids} == {"low_a_0.wav", "high_b_1.wav"}
    assert [files[row].name for row in dataset.splits["validation"].row_ids] == ["low_a_3.wav"]
    assert len(dataset.splits["train"]) == 21
    (inner / "testing_list.txt").write_text("low/low_a_3.wav\n")
    with pytest.raises(DataError, match=r"'low/low_a_3.wav' is in the (test|validation) part already"):
        load(DataSpec(name=str(inner)), store)
    (inner / "testing_list.txt").write_text("low/low_a_0.wav\nlow/nobody.wav\n")
    with pytest.raises(DataError, match=r"testing_list.txt', line 2: there is no file 'low/nobody.wav'"):
        load(DataSpec(name=str(inner)), store)


def test_other_rates_channels_and_formats_come_to_one_form(store, tmp_path):
    for number, (end, rate) in enumerate([("wav", 44_100), ("flac", 22_050), ("ogg", 48_000), ("wav", 11_025)] * 3):
        samples = np.stack([tone(440, 0.4, rate), 0.5 * tone(440, 0.4, rate)], axis=1)
        write(tmp_path / "s" / ("a" if number % 2 else "b") / f"{number}.{end}", samples, rate)
    dataset = load(DataSpec(name=str(tmp_path / "s"), sample_rate=8000, clip_seconds=0.4), store)
    clips = np.asarray(dataset.splits["train"].raw) / 32_768
    expected = 0.75 * tone(440, 0.4)
    middle = slice(400, -400)
    assert np.abs(clips[:, middle] - expected[middle]).max() < 0.02
    assert {warning["kind"] for warning in dataset.card().warnings} >= {"resampled"}


def test_resampling_keeps_what_fits_and_drops_what_would_fold():
    middle = slice(200, -200)
    for source, goal in ((44_100, 16_000), (8000, 16_000), (44_101, 16_000)):
        made = sound.resample(tone(1000, 0.5, source), source, goal)
        assert np.abs(made[middle] - tone(1000, 0.5, goal)[: len(made)][middle]).max() < 5e-3
    assert np.abs(sound.resample(tone(7000, 0.5, 16_000), 16_000, 8000)[middle]).max() < 5e-3


def test_a_tone_sounds_in_the_band_of_its_pitch_alone():
    clip = sound.fit_clip(tone(1000, 1.0), 8000)
    mels = spectrum.log_mel(clip, 8000, 40)
    assert mels.shape == (40, 98) and mels.dtype == np.float32
    edges = 2595 * np.log10(1 + np.array([20, 4000]) / 700)
    place = (2595 * np.log10(1 + 1000 / 700) - edges[0]) / (edges[1] - edges[0]) * 41 - 1
    assert abs(int(mels.mean(axis=1).argmax()) - place) <= 1
    coefficients = spectrum.mfcc(mels, 40).astype(np.float64)
    assert np.allclose((coefficients**2).sum(axis=0), (mels.astype(np.float64) ** 2).sum(axis=0), rtol=1e-4)


def test_mfcc_is_an_option_of_the_preparation(store, tones):
    dataset = load(DataSpec(name=str(tones), pattern=DIGITS, audio_features="mfcc"), store)
    assert dataset.input_shape[:2] == (1, 20)
    sent = [dataset.raw_sample("train", row) for row in range(5)]
    stored = dataset.preparation.apply(dataset.splits["train"].inputs[:5])
    assert dataset.preparation.from_raw(sent).tobytes() == stored.tobytes()
    assert dataset.preparation.from_raw(sent[2:3]).tobytes() == stored[2:3].tobytes()


def test_a_card_has_sounds_that_play(store, tones):
    samples = load(DataSpec(name=str(tones), pattern=DIGITS), store).card().to_dict()["samples"]
    assert len(samples) == 12
    assert all(
        s["audio"].startswith("data:audio/wav;base64,") and s["image"].startswith("data:image/png") for s in samples
    )


def test_broken_sounds_are_named(store, tones):
    whole = (tones / "low_a_0.wav").read_bytes()
    (tones / "low_a_0.wav").write_bytes(whole[:-100])
    with pytest.raises(DataError, match=r"'low_a_0.wav'.*cut off"):
        load(DataSpec(name=str(tones), pattern=DIGITS), store)
    (tones / "low_a_0.wav").write_bytes(b"RIFF nothing")
    with pytest.raises(DataError, match=r"'low_a_0.wav'"):
        load(DataSpec(name=str(tones), pattern=DIGITS), store)


def test_a_short_flac_is_told(tmp_path):
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(500, 1.0), 8000, format="FLAC")
    with pytest.raises(DataError, match=r"cut off|damaged|not a readable"):
        sound.decode_clip(buffer.getvalue()[: buffer.tell() // 2], rate=8000, num_samples=8000)


def test_patterns_and_conditions_that_cannot_be_used(store, tones):
    for options, error, words in (
        ({"pattern": "{speaker}_{index}"}, SpecError, "one of them {label}"),
        ({"pattern": "{label}-{index}"}, DataError, "does not have the form"),
        ({"pattern": DIGITS, "test_where": "room=3"}, UnknownName, "room"),
        ({"pattern": DIGITS, "test_where": "speaker=z"}, SpecError, "speaker is one of a, b, c"),
        ({"pattern": DIGITS, "test_where": "speaker<3"}, SpecError, "expected numbers"),
        ({"pattern": DIGITS, "target": "label"}, SpecError, "target"),
    ):
        with pytest.raises(error, match=words):
            load(DataSpec(name=str(tones), **options), store)


def test_what_a_person_sends_is_checked(store, tones):
    preparation = load(DataSpec(name=str(tones), pattern=DIGITS), store).preparation
    for item, words in (
        (b"no sound", "not a readable WAV"),
        ([[0.1, 0.2]], "expected a list of samples"),
        ([0.0, 3.0], "expected -1 to 1"),
        ([0.0, float("nan")], "finite"),
        ("data:audio/wav;base64,???", "base64"),
    ):
        with pytest.raises(DataError, match=f"Item 1: .*{words}"):
            preparation.from_raw([[0.0] * 100, item])
