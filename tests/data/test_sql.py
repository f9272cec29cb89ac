"""Databases: read-only, streamed, bound parameters; a password that is nowhere; a connection that is cut."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from urllib.parse import quote, quote_plus

import keyring
import numpy as np
import pytest
from keyring.backend import KeyringBackend

from lepton_lab.data import load
from lepton_lab.data.sql import check_statement
from lepton_lab.errors import DataError, SpecError
from lepton_lab.runs import Store
from lepton_lab.session.facade import Session
from lepton_lab.specs import DataSpec
from tests.data.postgres_lab import PASSWORD, USER, Proxy, running
from tests.processes import end_processes_of

ORDERS = 25_000
QUERY = "SELECT price, weight, shop, bought, express, kept FROM orders WHERE id <= :last ORDER BY id"
MANY = {"last": ORDERS}
TABLE = """
CREATE TABLE orders (id int PRIMARY KEY, price numeric(10, 2), weight float8, shop text, bought timestamptz,
                     express bool, code uuid, kept text);
CREATE SEQUENCE tickets;
"""
FILLED = """
INSERT INTO orders
SELECT n, n * 0.37, CASE WHEN n % 11 = 0 THEN NULL ELSE sin(n) END, 'shop ' || n % 5,
       timestamptz '2024-01-01 00:00+00' + n * interval '1 hour', n % 3 = 0, gen_random_uuid(),
       CASE WHEN n % 4 = 0 THEN 'no' ELSE 'yes' END
FROM generate_series(1, %s) n
""".replace(" % ", " %% ")


@pytest.fixture(scope="module")
def server():
    """A server with a table of orders."""
    import psycopg

    place = {"host": "127.0.0.1", "user": USER, "password": PASSWORD, "dbname": "postgres"}
    with running() as found:
        with psycopg.connect(port=found.port, **place) as connection:
            connection.execute(TABLE)
            connection.execute(FILLED, [ORDERS])
        yield found


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A SQLite database, named by an environment variable."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE visits (minutes REAL, page TEXT, bought INTEGER)")
        rows = [(row * 0.5, "abc"[row % 3], row % 2) for row in range(300)]
        database.executemany("INSERT INTO visits VALUES (?, ?, ?)", rows)
    monkeypatch.setenv("LEPTON_TEST_SHOP", f"sqlite:///{path}")
    return path


def forms_of_the_password() -> set[bytes]:
    return {form.encode() for form in (PASSWORD, quote(PASSWORD), quote_plus(PASSWORD), PASSWORD[:6])}


def test_sqlite(store, shop):
    spec = DataSpec(
        name="visits",
        connection="LEPTON_TEST_SHOP",
        query="SELECT * FROM visits WHERE page <> :not",
        parameters="not=c",
    )
    visits = load(spec, store)
    assert visits.name == "visits" and visits.card().num_rows == 200 and visits.classes == ["0", "1"]
    assert {column["name"]: column["role"] for column in visits.card().columns} == {
        "minutes": "number",
        "page": "category",
        "bought": "target",
    }
    again = load(spec, store)
    assert again.fingerprint == visits.fingerprint, "the same rows are the same dataset"


def test_another_process_needs_neither_the_name_nor_the_database(store, shop, monkeypatch):
    visits = load(DataSpec(name="v", connection="LEPTON_TEST_SHOP", query="SELECT * FROM visits"), store)
    monkeypatch.delenv("LEPTON_TEST_SHOP")
    shop.unlink()
    assert load(visits.spec, store).fingerprint == visits.fingerprint
    with pytest.raises(DataError, match="no environment variable 'LEPTON_TEST_SHOP' and no keyring entry"):
        load(DataSpec(name="v", connection="LEPTON_TEST_SHOP", query="SELECT * FROM visits"), store)


def test_changed_rows_are_another_dataset(store, shop):
    spec = DataSpec(name="v", connection="LEPTON_TEST_SHOP", query="SELECT * FROM visits")
    before = load(spec, store)
    with closing(sqlite3.connect(shop)) as database, database:
        database.execute("INSERT INTO visits VALUES (1, 'a', 0)")
    assert load(spec, store).fingerprint != before.fingerprint


def test_a_keyring_entry_may_hold_the_address(store, shop, monkeypatch):
    class Memory(KeyringBackend):
        priority = 1

        def get_password(self, service, username):
            return f"sqlite:///{shop}" if (service, username) == ("lepton_lab", "my-shop") else None

        def set_password(self, service, username, password):
            raise NotImplementedError

        delete_password = set_password

    before = keyring.get_keyring()
    keyring.set_keyring(Memory())
    try:
        assert (
            load(DataSpec(name="v", connection="my-shop", query="SELECT * FROM visits"), store).card().num_rows == 300
        )
    finally:
        keyring.set_keyring(before)


def test_values_of_parameters_are_data(store, shop):
    evil = "a'; DROP TABLE visits; --"
    with pytest.raises(DataError, match="gave no row"):
        load(
            DataSpec(
                name="v",
                connection="LEPTON_TEST_SHOP",
                query="SELECT * FROM visits WHERE page = :page",
                parameters={"page": evil},
            ),
            store,
        )
    assert load(DataSpec(name="v", connection="LEPTON_TEST_SHOP", query="SELECT * FROM visits"), store).card().num_rows


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "query is missing|is empty"),
        ("SELECT 1; DROP TABLE visits", "several statements"),
        ("DELETE FROM visits", "begins with 'DELETE'"),
        ("/* SELECT */ UPDATE visits SET page = 1", "begins with 'UPDATE'"),
        ("PRAGMA query_only = OFF", "begins with 'PRAGMA'"),
    ],
)
def test_a_query_reads_and_does_nothing_else(query, said):
    with pytest.raises(DataError, match=said):
        check_statement(query)


@pytest.mark.parametrize(
    "query",
    [
        "select ';' from t",
        "WITH a AS (SELECT 1) SELECT * FROM a;",
        "(SELECT 1) UNION (SELECT 2)",
        "-- why; not\nSELECT 1",
    ],
)
def test_a_query_that_reads_is_let_through(query):
    check_statement(query)


def test_an_address_is_refused_without_being_repeated():
    for given in ("postgresql://u:canary-1@h/d", "u:canary-1@host"):
        with pytest.raises(SpecError, match="environment variable or a keyring") as caught:
            DataSpec.parse({"name": "v", "connection": given, "query": "SELECT 1"})
        assert "canary" not in str(caught.value)
    with pytest.raises(SpecError, match="query is missing"):
        DataSpec.parse({"name": "v", "connection": "SHOP"})


def test_postgresql_is_streamed_and_read_whole(store, server, monkeypatch):
    monkeypatch.setenv("LEPTON_TEST_PG", server.url())
    told = []
    orders = load(
        DataSpec(name="orders", connection="LEPTON_TEST_PG", query=QUERY, parameters=MANY),
        store,
        lambda what, fraction: told.append(what),
    )
    assert orders.card().num_rows == ORDERS and orders.classes == ["no", "yes"]
    roles = {column["name"]: column["role"] for column in orders.card().columns}
    assert roles == {
        "price": "number",
        "weight": "number",
        "shop": "category",
        "bought": "date",
        "express": "category",
        "kept": "target",
    }
    prices = {}
    for name, part in orders.splits.items():
        for row in range(0, len(part), 97):
            prices[int(part.row_ids[row]) + 1] = orders.raw_sample(name, row)["price"]
    assert all(abs(price - number * 0.37) < 0.01 for number, price in prices.items())
    assert len([what for what in told if "10,000 rows" in what or "20,000 rows" in what]) == 2, "it came in batches"
    rows = np.sort(np.concatenate([part.row_ids for part in orders.splits.values()]))
    assert np.array_equal(rows, np.arange(ORDERS))


@pytest.mark.parametrize(
    ("taking", "said"),
    [
        ("WITH gone AS (DELETE FROM orders RETURNING price, kept) SELECT * FROM gone", "data-modifying"),
        ("SELECT nextval('tickets') AS ticket, kept FROM orders", "read-only transaction"),
    ],
)
def test_the_database_itself_refuses_to_be_changed(store, server, monkeypatch, taking, said):
    monkeypatch.setenv("LEPTON_TEST_PG", server.url())
    with pytest.raises(DataError, match=said):
        load(DataSpec(name="orders", connection="LEPTON_TEST_PG", query=taking), store)
    count = DataSpec(name="orders", connection="LEPTON_TEST_PG", query=QUERY, parameters=MANY)
    assert load(count, store).card().num_rows == ORDERS


def test_a_connection_that_is_cut_in_the_middle_leaves_nothing(store, server, monkeypatch):
    with Proxy(server.port, cut_after=900_000) as proxy:
        monkeypatch.setenv("LEPTON_TEST_PG", server.url(proxy.port))
        spec = DataSpec(name="orders", connection="LEPTON_TEST_PG", query=QUERY, parameters=MANY)
        with pytest.raises(
            DataError, match=r"broke off after [12]0,000 rows .*; nothing was kept\. Load the data again"
        ):
            load(spec, store)
    assert not [path for path in (store.root / "cache").iterdir() if path.is_dir() and path.name != "sources"]
    monkeypatch.setenv("LEPTON_TEST_PG", server.url())
    whole = load(spec, store)
    rows = np.sort(np.concatenate([part.row_ids for part in whole.splits.values()]))
    assert np.array_equal(rows, np.arange(ORDERS)), "no row twice, none missing"


def test_a_password_is_in_no_message_record_or_log(tmp_path, server, monkeypatch, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    session = Session(Store(tmp_path / "store"))
    asked = {"connection": "LEPTON_TEST_PG", "query": QUERY, "parameters": MANY}
    told = []
    monkeypatch.setenv("LEPTON_TEST_PG", server.url())
    dataset = session.load_data("orders", **asked)
    told += [str(dataset), repr(dataset.to_dict()), repr(dataset.spec), repr(dataset.prepared.spec)]
    wrong = {
        "LEPTON_WRONG": server.url(password=PASSWORD + "x"),
        "LEPTON_NO_PORT": server.url().replace(f":{server.port}", ":nine"),
        "LEPTON_NO_DRIVER": server.url().replace("postgresql+psycopg", "nothing"),
        "LEPTON_NOBODY": server.url(port=1),
    }
    for name, url in wrong.items():
        monkeypatch.setenv(name, url)
        with pytest.raises((DataError, ImportError)) as caught:
            session.load_data("orders", **{**asked, "connection": name})
        told += [str(caught.value), repr(caught.value.__cause__)]
        assert name in str(caught.value) or isinstance(caught.value, ImportError)
    with Proxy(server.port, cut_after=900_000) as proxy:
        monkeypatch.setenv("LEPTON_TEST_PG", server.url(proxy.port))
        with pytest.raises(DataError) as caught:
            session.load_data("orders", **{**asked, "parameters": {"last": ORDERS - 1}})
        told.append(str(caught.value))
    out = capsys.readouterr()
    everything = [*told, caplog.text, out.out, out.err]
    for form in forms_of_the_password():
        assert not any(form.decode() in text for text in everything)
        for path in (tmp_path / "store").rglob("*"):
            assert not path.is_file() or form not in path.read_bytes(), path
    end_processes_of(tmp_path / "store")
