"""An endpoint as a person holds it, and what it answers."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import DataError, SpecError
from lepton_lab.session.owning import Owned
from lepton_lab.session.prediction import Prediction, Predictions
from lepton_lab.session.shown import Shown
from lepton_lab.words import _

if TYPE_CHECKING:
    from lepton_lab.runs.endpoints import EndpointSummary
    from lepton_lab.session.facade import Session

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


class Endpoint(Owned, Shown):
    """A network online. Made by `deploy` and `endpoint(name)`; alive without this object and without the kernel."""

    def __init__(self, name: str, session: Session, key: str | None = None) -> None:
        self.name, self._session, self.key = name, session, key

    @property
    def summary(self) -> EndpointSummary:
        """Where the endpoint stands now, read from the store."""
        return self._session.endpoint_summary(self.name)

    @property
    def url(self) -> str:
        """The address that it answers on; kept over restarts and new versions."""
        return str(self.summary.url)

    @property
    def state(self) -> str:
        """starting, ready, failed or stopped."""
        return str(self.summary.state)

    def stop(self) -> Endpoint:
        """Ends the endpoint's process; its record, versions and keys stay."""
        from lepton_lab.runs.endpoints import stop_endpoint

        stop_endpoint(self._session.store, self.name)
        return self

    def predict(
        self, items: Any = None, *, row: int | None = None, file: str | None = None, input: str | None = None
    ) -> Prediction | Predictions:
        """Asks the endpoint over HTTP.

        Args:
            items: A list of inputs as a person has them: bytes of pictures, lists of numbers, dicts by column.
            row: The number of a test row of the dataset that the network was trained on.
            file: A picture, or a CSV file with one input per row.
            input: One input as JSON.

        Raises:
            EndpointError: If it does not answer.
            DataError: If the input does not fit the network.
        """
        given = [
            name
            for name, value in (("items", items), ("row", row), ("file", file), ("input", input))
            if value is not None
        ]
        if len(given) > 1:
            raise SpecError(f"predict takes one of items, row, file and input; {' and '.join(given)} were given.")
        if file is not None:
            return self._ask(_read_file(Path(file).expanduser()))
        if input is not None:
            return self._ask([_read_json(input)])[0]
        if items is not None:
            return self._ask(list(items))
        return self._ask_row(row or 0)

    def predict_picture(self, png: bytes) -> Prediction:
        """The answer to one picture (PNG, JPEG, WebP or BMP bytes)."""
        return self._ask([png])[0]

    def to_dict(self) -> dict[str, Any]:
        return {**self.summary.to_dict(), **({"key": self.key} if self.key else {})}

    def __str__(self) -> str:
        summary = self.summary
        return _(f"{self.name}: {summary.state}, version {summary.version}, {summary.url}")

    def _ask(self, items: list[Any]) -> Predictions:
        with self._session.client_of(self.name) as client:
            start = time.perf_counter()
            answers = client.predict(items)
            milliseconds = (time.perf_counter() - start) * 1000
        return Predictions([Prediction.of(answer, self.name, milliseconds) for answer in answers])

    def _ask_row(self, row: int) -> Prediction:
        dataset = self._session.dataset_of(self._session.run(self.summary.run_id))
        num_rows = dataset.num_rows["test"]
        if not 0 <= row < num_rows:
            raise SpecError(f"row is {row}; {dataset.name} has test rows 0 to {num_rows - 1}.")
        prepared = dataset.prepared
        prediction = self._ask([prepared.raw_sample("test", row)])[0]
        prediction.compare(prepared, "test", row)
        if prepared.modality == "image":
            prediction.picture = prepared.sample_png("test", row)
        return prediction


def _read_file(path: Path) -> list[Any]:
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    if path.suffix.lower() in PICTURES:
        return [path.read_bytes()]
    if path.suffix.lower() == ".csv":
        import polars

        return polars.read_csv(path).to_dicts()
    raise DataError(f"{path.name} is neither a picture ({', '.join(PICTURES)}) nor a CSV file.")


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecError(f"input is no JSON: {error.msg} at character {error.pos}.") from None
