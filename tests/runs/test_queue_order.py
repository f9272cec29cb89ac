"""The order of waiting runs: priority, fairness between people, place in line; and who makes room for whom."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab.runs.ordering import to_preempt, waiting_order
from lepton_lab.runs.queue import Entry, Queue


def entry(run_id, priority=0, user="ada", slot=None, share=1.0):
    return Entry(run_id, "auto", slot, None, priority, user, share)


def names(entries):
    return [each.run_id for each in waiting_order(entries)]


def test_one_persons_runs_start_in_line_and_a_higher_priority_first():
    assert names([entry("a"), entry("b"), entry("c")]) == ["a", "b", "c"]
    assert names([entry("a", -1), entry("b", 5), entry("c")]) == ["b", "c", "a"]


def test_a_hundred_runs_of_one_person_do_not_hold_up_anothers_first():
    many = [entry(f"a{i}") for i in range(100)]
    order = names([*many, entry("b0", user="bob"), entry("b1", user="bob")])
    assert order[:4] == ["a0", "b0", "a1", "b1"]
    assert order[4:] == [f"a{i}" for i in range(2, 100)]


def test_who_is_at_work_already_waits_for_the_others():
    entries = [
        entry("w0", slot="cpu:0"),
        entry("w1", slot="cpu:1"),
        entry("a"),
        *(entry(f"b{i}", user="bob") for i in range(3)),
    ]
    assert names(entries) == ["b0", "b1", "a", "b2"]


ENTRIES = st.lists(
    st.tuples(st.integers(-2, 2), st.sampled_from(["ada", "bob", "eve"]), st.booleans()), max_size=40
).map(lambda rows: [entry(f"r{i}", p, u, f"cpu:{i}" if at_work else None) for i, (p, u, at_work) in enumerate(rows)])


@given(ENTRIES)
def test_every_waiting_run_has_one_place_and_nobody_is_ahead_by_more_than_one(entries):
    order = waiting_order(entries)
    assert sorted(each.run_id for each in order) == sorted(each.run_id for each in entries if each.slot is None)
    assert [each.priority for each in order] == sorted((each.priority for each in order), reverse=True)
    count = {user: sum(e.user == user and e.slot is not None for e in entries) for user in ("ada", "bob", "eve")}
    for place, started in enumerate(order):
        rivals = {each.user for each in order[place:] if each.priority == started.priority}
        assert count[started.user] == min(count[user] for user in rivals)
        count[started.user] += 1
    for user in count:  # one person's runs of one priority keep their line
        mine = [each.run_id for each in order if each.user == user and each.priority == 0]
        assert mine == [each.run_id for each in entries if each.run_id in mine]


def test_the_lowest_priority_makes_room_and_equals_do_not():
    entries = [entry("low", -5, slot="cpu:0"), entry("mid", 0, slot="cpu:1"), entry("new", 1), entry("same", 0)]
    pairs = to_preempt(entries, {"new": "cpu:", "same": "cpu:"})
    assert [(leased.run_id, waiting.run_id) for leased, waiting in pairs] == [("low", "new")]
    assert to_preempt([entry("mid", 0, slot="cpu:1"), entry("same", 0)], {"same": "cpu:"}) == []
    assert to_preempt([entry("low", -5, slot="cuda:0"), entry("new", 1)], {"new": "cpu:"}) == []


@given(ENTRIES)
def test_nobody_makes_room_for_a_run_that_is_not_above_it(entries):
    waiting = {each.run_id: "cpu:" for each in entries if each.slot is None}
    pairs = to_preempt(entries, waiting)
    assert all(leased.priority < waiting.priority for leased, waiting in pairs)
    assert len({leased.run_id for leased, _ in pairs}) == len(pairs)


@pytest.fixture
def queue(store):
    queue = Queue(store)
    for run_id in "abcd":
        queue.enqueue(run_id, user="ada")
    return queue


def line(queue):
    return [run_id for run_id, _ in sorted(queue.positions().items(), key=lambda pair: pair[1])]


@pytest.mark.parametrize(
    ("run_id", "place", "expected"),
    [("d", 1, "dabc"), ("a", 4, "bcda"), ("a", 99, "bcda"), ("c", 2, "acbd"), ("b", 2, "abcd")],
)
def test_a_run_is_moved_to_a_place(queue, run_id, place, expected):
    assert queue.move(run_id, place)
    assert line(queue) == list(expected)


def test_many_moves_keep_the_line_whole(queue):
    for _ in range(200):  # no two places become equal, however often it is done
        queue.move(line(queue)[-1], 2)
    assert sorted(line(queue)) == list("abcd")


def test_a_run_that_was_started_is_not_moved(queue):
    queue.lease("b", "cpu:0")
    assert not queue.move("b", 1)
    assert not queue.move("nobody", 1)


def test_priority_sends_to_the_end_of_its_line(queue):
    queue.set_priority("c", 3)
    queue.set_priority("a", 3)
    assert line(queue) == ["c", "a", "b", "d"]
    queue.enqueue("e", priority=3, user="ada")
    assert line(queue) == ["c", "a", "e", "b", "d"]
    assert not queue.set_priority("nobody", 1)


def test_a_queue_of_an_earlier_version_gets_the_columns_that_it_lacks(store):
    with sqlite3.connect(store.queue_db) as db:
        db.execute(
            "CREATE TABLE queue (position INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL UNIQUE, priority "
            "INTEGER NOT NULL DEFAULT 0, device TEXT NOT NULL DEFAULT 'auto', slot TEXT, pid INTEGER, start_time REAL, "
            "boot TEXT)"
        )
        db.execute("INSERT INTO queue (run_id, slot, pid) VALUES ('old', 'cpu:0', 7), ('waits', NULL, NULL)")
    queue = Queue(store)
    queue.enqueue("new", share=0.5)
    found = {each.run_id: each for each in queue.entries()}
    assert found["old"].slot == "cpu:0" and found["old"].share == 1.0
    assert found["new"].share == 0.5
    assert line(queue) == ["waits", "new"]
