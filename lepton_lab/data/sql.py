"""Tables from a database: one statement in a read-only transaction, read in batches, kept in the cache.

The address of the database, with its password, comes from an environment variable or a keyring entry. Only that name
reaches a notebook, a record or a log; what a driver says of an error is cleaned of the password before it is told.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from lepton_lab.data import fingerprint, storage
from lepton_lab.data.material import Progress
from lepton_lab.data.sql_batches import Batches
from lepton_lab.errors import DataError, MissingExtra
from lepton_lab.specs import DataSpec

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

KEYRING_SERVICE = "lepton_lab"
"""Under this service a keyring entry is looked for; its user name is the name of the connection."""

BATCH_ROWS = 10_000
_CONNECT_SECONDS = 15
_SILENT_MILLISECONDS = 30_000
_FIRST_WORDS = ("select", "with", "values", "table")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\1\$|`[^`]*`", re.DOTALL)


def snapshot(spec: DataSpec, store: storage.HasRoot, progress: Progress) -> DataSpec:
    """Reads a query's rows into the cache, so that any process can train on exactly these rows.

    Args:
        spec: With connection, query and parameters.
        store: Where the rows are kept.
        progress: Told how many rows there are.

    Returns:
        The spec with the fingerprint of the rows.

    Raises:
        DataError: The statement does more than read, or the database cannot be reached or read; names the connection,
            never its address. Nothing is kept then.
        MissingExtra: SQLAlchemy or the database's driver is not installed.
    """
    name, query = str(spec.connection), str(spec.query)
    check_statement(query)
    scratch = Path(tempfile.mkdtemp(dir=storage.make_cache(store), prefix=".batches-"))
    try:
        batches = Batches(scratch)
        with _told(name, url := find_url(name), batches), _connected(url) as connection:
            _read(connection, query, spec.parameter_by_name(), batches, progress)
        if not batches.num_rows:
            raise DataError(f"The query on {name!r} gave no row; there is nothing to train on.")
        return spec.changed(fingerprint=_keep(batches, store))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def find_url(name: str) -> URL:
    """The address that a name stands for.

    Raises:
        DataError: Neither an environment variable nor a keyring entry has this name, or it holds no address.
    """
    try:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError
    except ImportError:
        raise MissingExtra("sqlalchemy", "sql", "to read from a database") from None
    text = os.environ.get(name) or _from_keyring(name)
    if not text:
        raise DataError(
            f"There is no environment variable {name!r} and no keyring entry {name!r} (service {KEYRING_SERVICE!r}); "
            "set one of them to the database's address, such as postgresql+psycopg://user:password@host/database."
        )
    try:
        return _with_driver(make_url(text.strip()))
    except (ArgumentError, ValueError):
        raise DataError(
            f"{name!r} does not hold an SQLAlchemy address (driver://user:password@host/database)."
        ) from None


def _from_keyring(name: str) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        return keyring.get_password(KEYRING_SERVICE, name)
    except (KeyringError, RuntimeError):
        return None


def _with_driver(url: URL) -> URL:
    """PostgreSQL without a driver named means the one that the extra brings."""
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url


def check_statement(query: str) -> None:
    """Refuses more than one statement, and what plainly does something else than read.

    The read-only transaction is what protects the database; this is for a clear word before it is asked.

    Raises:
        DataError: Says what a query may be.
    """
    bare = _QUOTED.sub("''", _COMMENT.sub(" ", query)).strip().rstrip(";").strip()
    if not bare:
        raise DataError("The query is empty; expected one SELECT statement.")
    if ";" in bare:
        raise DataError("The query has several statements; expected one SELECT statement.")
    first = re.split(r"[\s(]", bare.lstrip("( \n\t"), maxsplit=1)[0].lower()
    if first not in _FIRST_WORDS:
        raise DataError(
            f"The query begins with {first[:20].upper()!r}; expected a statement that reads (SELECT or WITH)."
        )


@contextmanager
def _connected(url: URL) -> Iterator[Connection]:
    """A connection in a read-only transaction that is rolled back at the end."""
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            ready = _read_only(connection, url.get_backend_name())
            try:
                yield ready
            finally:
                if not ready.invalidated and not ready.closed:
                    ready.rollback()
    finally:
        engine.dispose()


def _engine(url: URL) -> Engine:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    arguments: dict[str, Any] = {}
    if url.drivername == "postgresql+psycopg":
        # A peer that falls silent is given up on, instead of being waited for without end.
        arguments = {
            "connect_timeout": _CONNECT_SECONDS,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 4,
            "tcp_user_timeout": _SILENT_MILLISECONDS,
        }
    try:
        return create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
    except ImportError as error:
        module = str(getattr(error, "name", "") or url.drivername)
        raise MissingExtra(module, "sql", f"to read from {url.get_backend_name()}") from None


def _read_only(connection: Connection, backend: str) -> Connection:
    from sqlalchemy import text

    streaming = {"stream_results": True, "yield_per": BATCH_ROWS}
    if backend == "postgresql":
        return connection.execution_options(postgresql_readonly=True, **streaming)
    if backend == "sqlite":
        connection.execute(text("PRAGMA query_only = ON"))
        connection.commit()
    elif backend in ("mysql", "mariadb"):
        connection.execute(text("SET SESSION TRANSACTION READ ONLY"))
        connection.commit()
    elif backend == "oracle":
        connection.execute(text("SET TRANSACTION READ ONLY"))
    return connection.execution_options(**streaming)


def _read(connection: Connection, query: str, parameters: dict[str, Any], batches: Batches, progress: Progress) -> None:
    from sqlalchemy import text

    progress("Asking the database", None)
    result = connection.execute(text(query.strip().rstrip(";")), parameters)
    names = _names(list(result.keys()))
    for rows in result.partitions(BATCH_ROWS):
        batches.add(names, rows)
        progress(f"Reading from the database: {batches.num_rows:,} rows", None)


def _names(names: Sequence[str]) -> list[str]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"The query gives two columns called {twice!r}; name one of them otherwise (AS ...).")
    return [str(name) for name in names]


@contextmanager
def _told(name: str, url: URL, batches: Batches) -> Iterator[None]:
    """What goes wrong, told with the connection's name and without its password."""
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        said = getattr(error, "orig", None) or error
        reason = _cleaned(str(said).strip().split("\n")[0][:200] or type(said).__name__, url)
        broken = isinstance(error, DBAPIError) and error.connection_invalidated
        if broken or (batches.num_rows and isinstance(error, DBAPIError)):
            message = f"The connection {name!r} broke off after {batches.num_rows:,} rows ({reason}); nothing was kept."
            raise DataError(f"{message} Load the data again.") from None
        raise DataError(f"The database of {name!r} did not answer the query ({reason}).") from None


def _cleaned(text: str, url: URL) -> str:
    """A driver's words without the password, in whatever form it could stand in them."""
    password = str(url.password or "")
    for form in {password, quote(password), quote_plus(password), repr(password)[1:-1]} - {""}:
        text = text.replace(form, "***")
    return text


def _keep(batches: Batches, store: storage.HasRoot) -> str:
    """Puts the rows into the cache under their fingerprint, which it returns."""
    file = batches.together()
    described = {"kind": "source", "modality": "table", "classes": None}
    content = fingerprint.of_values(fingerprint.of_content(file), described)
    if storage.read_meta(storage.folder(store, content)) is None:
        with storage.build(store, content) as (path, meta):
            meta.update(described)
            shutil.move(file, path / "frame.arrow")
    return content
