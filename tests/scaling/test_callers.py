"""A door of the worker lets in whoever shows the run's key, and strangers keep nobody waiting."""

from __future__ import annotations

import socket
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection

import pytest

from lepton_lab.scaling import callers
from lepton_lab.scaling.callers import Door
from tests.waiting import wait_until

KEY = b"k" * 32


def test_a_stranger_who_says_nothing_keeps_nobody_out() -> None:
    let_in: list[Connection] = []
    door = Door("127.0.0.1", KEY, let_in.append, "door")
    strangers = [socket.create_connection(door.address) for _ in range(20)]
    with Client(door.address, authkey=KEY) as rank:
        wait_until(lambda: len(let_in) == 1, "the rank to be let in")
        rank.send("here")
        assert let_in[0].recv() == "here"
    assert len(let_in) == 1
    for each in strangers:
        each.close()
    door.close()


def test_a_stranger_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "PROOF_SECONDS", 0.1)
    monkeypatch.setattr(callers, "MOST_AT_ONCE", 2)
    let_in: list[Connection] = []
    door = Door("127.0.0.1", KEY, let_in.append, "door")
    strangers = [socket.create_connection(door.address) for _ in range(5)]
    with pytest.raises(AuthenticationError):
        Client(door.address, authkey=b"another key")
    for each in strangers:
        each.settimeout(30)
        while each.recv(1000):
            pass  # the question for the key, and then the end
        each.close()
    with Client(door.address, authkey=KEY):
        wait_until(lambda: len(let_in) == 1, "the rank to be let in")
    door.close()


def test_a_closed_door_is_gone() -> None:
    door = Door("127.0.0.1", KEY, lambda connection: None, "door")
    door.close()
    assert not door.is_open

    def is_refused() -> bool:
        try:
            socket.create_connection(door.address).close()
        except ConnectionRefusedError:
            return True
        return False

    wait_until(is_refused, "the door to be gone")
