"""Random changes of rows: each does what it says, to the whole batch, and the same again from the same step."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lepton_lab.errors import RunFailed
from lepton_lab.specs import Problem, TrainSpec
from lepton_lab.training import augment
from lepton_lab.training.changes import choose_changes, fitting
from lepton_lab.training.resident import Batch

PICTURES = Problem("classification", "image", (1, 16, 16), (3,))
SOUNDS = Problem("classification", "audio", (1, 12, 24), (3,))
TEXT = Problem("classification", "text", (30,), (3,), has_lengths=True, vocabulary=50)


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 64) -> Batch:
    rows = torch.rand(count, 1, 16, 16, generator=chance()).contiguous(memory_format=torch.channels_last) + 1
    return Batch((rows,), torch.arange(count) % 3)


def sounds(count: int = 64) -> Batch:
    return Batch((torch.rand(count, 1, 12, 24, generator=chance()) + 1,), torch.arange(count) % 3)


def sentences() -> Batch:
    tokens = torch.randint(2, 50, (40, 30), generator=chance())
    lengths = torch.arange(40).clamp(min=1, max=30)
    tokens[torch.arange(30) >= lengths[:, None]] = 0
    return Batch((tokens, lengths), torch.arange(40) % 3)


def test_a_shifted_picture_is_the_picture_somewhere_else() -> None:
    batch = Batch((torch.zeros(200, 2, 16, 16),), torch.zeros(200, dtype=torch.int64))
    batch.inputs[0][:, :, 8, 8] = 1.0
    moved = augment.shifted(batch, chance(), 1 / 8, False).inputs[0]
    assert moved.shape == batch.inputs[0].shape and (moved.sum((2, 3)) == 1).all()
    places = moved[:, 0].flatten(1).argmax(1)
    rows, columns = places // 16, places % 16
    assert sorted(set(rows.tolist())) == sorted(set(columns.tolist())) == [6, 7, 8, 9, 10]
    assert torch.equal(moved[:, 0], moved[:, 1])


def test_half_of_the_pictures_are_mirrored_where_that_is_wanted() -> None:
    batch = pictures(200)
    same = augment.shifted(batch, chance(), 0.0, False).inputs[0]
    assert torch.equal(same, batch.inputs[0]) and same.is_contiguous(memory_format=torch.channels_last)
    seen = augment.shifted(batch, chance(), 0.0, True).inputs[0]
    is_mirrored = torch.tensor([torch.equal(a, b.flip(2)) for a, b in zip(seen, batch.inputs[0], strict=True)])
    is_same = torch.tensor([torch.equal(a, b) for a, b in zip(seen, batch.inputs[0], strict=True)])
    assert (is_mirrored ^ is_same).all() and 60 < is_mirrored.sum() < 140


def test_boxes_move_with_their_picture() -> None:
    rows, labels = torch.zeros(50, 1, 16, 16), []
    for i in range(50):
        left, top = i % 12, (3 * i) % 12
        rows[i, 0, top : top + 3, left : left + 4] = 1.0
        labels.append(torch.tensor([[left, top, left + 4, top + 3, 2]], dtype=torch.float32))
    moved = augment.shifted(Batch((rows,), labels), chance(), 1 / 8, True)
    num_left = 0
    for picture, boxes in zip(moved.inputs[0][:, 0], moved.labels, strict=True):
        for left, top, right, bottom, kind in boxes.int().tolist():
            num_left += 1
            inside = picture[top:bottom, left:right]
            assert kind == 2 and inside.numel() and (inside == 1).all() and picture.sum() == inside.sum()
    assert 35 < num_left <= 50


def test_a_turn_keeps_the_middle_and_a_cut_leaves_out_a_square() -> None:
    batch = pictures()
    turned = augment.turned(batch, chance()).inputs[0]
    change = (turned - batch.inputs[0]).abs()
    assert change[:, :, 7:9, 7:9].mean() < change[:, :, :2, :2].mean()
    left_out = augment.cut(batch, chance()).inputs[0] == 0
    assert left_out.any((1, 2, 3)).all() and left_out.sum((1, 2, 3)).max() == 16


def test_mixed_rows_have_mixed_labels() -> None:
    batch = pictures(512)
    mixed = augment.mixed(batch, chance(), 3)
    torch.testing.assert_close(mixed.labels.sum(1), torch.ones(512))
    assert (mixed.labels.max(1).values >= 0.5 - 1e-6).all()
    is_sure = mixed.labels.max(1).values > 0.99
    assert 0.2 < is_sure.float().mean() < 0.95
    torch.testing.assert_close(mixed.inputs[0].mean(), batch.inputs[0].mean(), rtol=0.02, atol=0.0)


def test_sounds_move_in_time_and_lose_stripes() -> None:
    batch = sounds()
    moved = augment.in_time(batch, chance()).inputs[0]
    quiet = batch.inputs[0].amin(3, keepdim=True)
    for i in range(len(moved)):
        assert any(
            torch.equal(moved[i, :, :, 3:-3].roll(-k, 2)[:, :, 6:-6], batch.inputs[0][i, :, :, 3:-3][:, :, 6:-6])
            for k in range(-3, 4)
        )
    assert (moved >= quiet).all()
    gone = augment.masked(batch, chance()).inputs[0] == 0
    assert gone.any() and not gone.all((1, 2, 3)).any()
    assert (augment.noisy(batch, chance()).inputs[0] - batch.inputs[0]).std() == pytest.approx(0.1, rel=0.1)


def test_tokens_become_unknown_and_padding_stays() -> None:
    batch = sentences()
    tokens = augment.left_out(batch, chance(), 0.2).inputs[0]
    before = batch.inputs[0]
    assert torch.equal(tokens == 0, before == 0)
    changed = tokens != before
    assert (tokens[changed] == 1).all() and 0.1 < changed.sum() / (before > 0).sum() < 0.3


def test_a_crop_zooms_and_an_erased_rectangle_is_noise() -> None:
    flat = Batch((torch.full((200, 3, 16, 16), 5.0),), torch.zeros(200, dtype=torch.int64))
    torch.testing.assert_close(augment.cropped(flat, chance()).inputs[0], flat.inputs[0])
    slope = Batch((torch.arange(16.0).expand(200, 1, 16, 16).clone(),), flat.labels)
    seen = augment.cropped(slope, chance()).inputs[0]
    steps = seen[:, 0, 0, 9] - seen[:, 0, 0, 8]
    assert 0.79 < steps.min() < 0.85 and 0.95 < steps.max() <= 1.001
    is_noise = (augment.erased(flat, chance()).inputs[0] != 5).all(1)
    share = is_noise.float().mean((1, 2))
    assert 60 < (share > 0).sum() < 140 and 0 < share[share > 0].min() < 0.06 and 0.1 < share.max() < 0.25
    for picture in is_noise[share > 0]:
        rows, columns = picture.any(1), picture.any(0)
        assert picture.sum() == rows.sum() * columns.sum(), "a whole rectangle"


ALL = [(PICTURES, pictures), (SOUNDS, sounds), (TEXT, sentences)]


def change_of(problem: Problem, **options: Any) -> Any:
    names, share, _ = choose_changes(TrainSpec(**options), options.get("augment", "none"), problem)
    return augment.make_change(problem, names, 7, word_dropout=share)


@pytest.mark.parametrize(("problem", "make"), ALL)
@pytest.mark.parametrize("level", ["light", "strong"])
def test_the_same_step_changes_the_same_way(problem: Problem, make: Any, level: str) -> None:
    change = change_of(problem, augment=level)
    assert change is not None
    torch.manual_seed(1)
    one = change([make()], 12)[0]
    torch.manual_seed(2)
    again, later = change([make()], 12)[0], change([make()], 13)[0]
    assert torch.equal(one.inputs[0], again.inputs[0]) and torch.equal(one.labels, again.labels)
    assert not torch.equal(one.inputs[0], later.inputs[0])
    assert not torch.equal(one.inputs[0], make().inputs[0])


@pytest.mark.parametrize(("problem", "make"), ALL)
def test_each_change_is_an_option(problem: Problem, make: Any) -> None:
    before = make()
    for name in fitting(problem):
        value: Any = {"flip": True, "word_dropout": 0.5}.get(name, "on")
        after = change_of(problem, **{name: value})([make()], 3)[0].inputs[0]
        assert not torch.equal(after, before.inputs[0]) and after.shape == before.inputs[0].shape, name


def test_a_person_wins_over_the_level_and_the_record_says_what_it_held() -> None:
    names, _, reasons = choose_changes(TrainSpec(rotate="off", erase="on"), "strong", PICTURES)
    assert names == ["shift", "cutout", "erase", "mixup"]
    assert reasons == {name: "on because augment is strong" for name in ("shift", "cutout", "mixup")}
    assert choose_changes(TrainSpec(), "strong", TEXT) == (
        ["word_dropout"], 0.2, {"word_dropout": "0.2 because augment is strong"}
    )  # fmt: skip
    assert choose_changes(TrainSpec(word_dropout=0.0), "strong", TEXT)[:2] == ([], 0.0)
    with pytest.raises(RunFailed, match=r"mixup is asked for.*what can change them: shift, spec_augment, noise"):
        choose_changes(TrainSpec(mixup="on"), "none", SOUNDS)
    boxes = Problem("detection", "image", (1, 16, 16), (3,))
    assert choose_changes(TrainSpec(), "strong", boxes)[0] == ["shift"]


def test_nothing_happens_where_nothing_was_asked() -> None:
    assert change_of(PICTURES) is None
    assert change_of(Problem("regression", "table", (4,), (1,)), augment="strong") is None
    assert change_of(PICTURES, flip=True) is not None
