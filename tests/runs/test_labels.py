"""Titles, tags, notes and pins: changed by anybody at any time, on the record, never in the way of the run."""

from __future__ import annotations

import threading

import pytest

from lepton_lab.errors import RunError
from lepton_lab.runs import EventLog, create_run, list_runs
from lepton_lab.runs.checkpoints import all_steps, new_checkpoint
from lepton_lab.runs.labels import (
    LABELS_FILE,
    MOST_TAGS,
    note_run,
    pin_checkpoint,
    pin_run,
    read_labels,
    rename_run,
    tag_run,
)


def test_labels_show_in_the_summary_and_say_who_wrote_them(store, spec):
    run = create_run(store, spec)
    rename_run(run.dir, "  the first one ", by="panel")
    tag_run(run.dir, ["baseline", "paper"], by="cli")
    tag_run(run.dir, ["baseline"], ["paper"], by="cli")
    note_run(run.dir, "two\nlines", by="notebook")
    pin_run(run.dir, by="notebook")
    summary = list_runs(store)[0]
    assert (summary.title, summary.tags, summary.note, summary.pinned) == (
        "the first one",
        ["baseline"],
        "two\nlines",
        True,
    )
    assert summary.name == summary.run_id  # the title is for eyes; the name stays the address
    history = read_labels(run.dir).history
    assert [entry["by"] for entry in history] == ["panel", "cli", "cli", "notebook", "notebook"]
    assert history[0]["changed"] == {"title": "the first one"}
    rename_run(run.dir, None, by="panel")
    assert run.summary().title is None


def test_labels_change_while_a_worker_holds_the_run(store, spec):
    run = create_run(store, spec)
    with EventLog.open_writer(run.dir):
        tag_run(run.dir, ["busy"], by="panel")
    assert run.summary().tags == ["busy"]


def test_what_many_write_at_once_is_all_there(store, spec):
    run = create_run(store, spec)
    threads = [threading.Thread(target=tag_run, args=(run.dir, [f"t{i}"]), kwargs={"by": "x"}) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run.summary().tags) == sorted(f"t{i}" for i in range(16))


@pytest.mark.parametrize("tag", ["two words", "a,b", "", "x" * 41, "bell\x07"])
def test_a_tag_that_cannot_be_is_refused(store, spec, tag):
    run = create_run(store, spec)
    with pytest.raises(RunError, match="tag"):
        tag_run(run.dir, [tag], by="cli")
    assert read_labels(run.dir).history == []


def test_too_many_and_too_long(store, spec):
    run = create_run(store, spec)
    with pytest.raises(RunError, match="32 tags"):
        tag_run(run.dir, [f"t{i}" for i in range(MOST_TAGS + 1)], by="cli")
    with pytest.raises(RunError, match="title"):
        rename_run(run.dir, "x" * 121, by="cli")
    with pytest.raises(RunError, match="title"):
        rename_run(run.dir, "two\nlines", by="cli")
    with pytest.raises(RunError, match="note"):
        note_run(run.dir, "x" * 10_001, by="cli")


def test_a_broken_file_is_no_labels_and_is_written_anew(store, spec):
    run = create_run(store, spec)
    for content in (b"", b"[1]", b'{"tags": 3}', b"\xff"):
        (run.dir / LABELS_FILE).write_bytes(content)
        assert run.summary().state == "queued"
        assert read_labels(run.dir).tags == []
    tag_run(run.dir, ["new"], by="cli")
    assert run.summary().tags == ["new"]


def test_a_pinned_checkpoint_stays_when_others_are_thinned_out(store, spec):
    run = create_run(store, spec)
    for step in (10, 20):
        save(run.dir, step)
    with pytest.raises(RunError, match="there are: 10, 20"):
        pin_checkpoint(run.dir, 15, by="cli")
    pin_checkpoint(run.dir, 10, by="cli")
    for step in (30, 40, 50):
        save(run.dir, step)
    assert all_steps(run.dir) == [10, 40, 50]
    pin_checkpoint(run.dir, 10, False, by="cli")
    save(run.dir, 60)
    assert all_steps(run.dir) == [50, 60]


def save(run_dir, step, **options):
    with new_checkpoint(run_dir, step, **options) as folder:
        (folder / "weights.bin").write_bytes(bytes(100))
