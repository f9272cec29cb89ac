"""The ends of epochs in the record: each at once in a young run, several in one event in an old one, none lost."""

from __future__ import annotations

from lepton_lab.runs.curve import Curve
from lepton_lab.runs.lines import epochs_of
from lepton_lab.training.epochs import EpochLog
from tests.training.training_lab import Recorder

SAMPLE = [{"row": 1}]


def test_a_young_run_tells_each_epoch_and_an_old_one_tells_several_at_once() -> None:
    events = Recorder()
    log = EpochLog(events)
    for epoch in range(1, 4):
        log.add(float(epoch), 0.0, SAMPLE, epoch=epoch, step=10 * epoch, val_loss=1 / epoch, is_best=True)
    assert events.types() == ["EpochEnded", "SamplesPredicted"] * 3
    for epoch in range(4, 24):
        log.add(10.0 + epoch, 5.0, SAMPLE, epoch=epoch, step=10 * epoch, val_loss=1 / epoch, is_best=False)
    log.finish()
    told = [each for event in events.of("EpochEnded") for each in epochs_of(event)]
    assert [each["epoch"] for each in told] == list(range(1, 24))
    assert len(events.of("EpochEnded")) == 3 + 5
    assert events.types()[-1] == "SamplesPredicted" and len(events.of("SamplesPredicted")) == 3 + 1


def test_a_curve_of_epochs_told_together_is_that_of_epochs_told_one_by_one() -> None:
    curves = []
    for pace in (0.0, 5.0):
        events, curve = Recorder(), Curve("run")
        log = EpochLog(events)
        for epoch in range(1, 30):
            log.add(float(epoch), pace, [], epoch=epoch, step=10 * epoch, val_loss=1 / epoch, val_accuracy=epoch / 64)
        log.finish()
        for seq, event in enumerate(events.events, 1):
            curve.apply({"seq": seq, "time": 0.0, **event})
        curves.append((curve.series, curve.summary()))
    (one, summary), (other, same) = curves
    assert list(one["val_accuracy"].y) == list(other["val_accuracy"].y)
    assert list(one["val_loss"].steps) == list(other["val_loss"].steps)
    assert summary.best_val_accuracy == same.best_val_accuracy == 29 / 64
    assert summary.sparkline == same.sparkline
