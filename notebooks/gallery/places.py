"""Where the gallery's sets without a name lie: in `data/` beside it, or where LEPTON_GALLERY_DATA says."""

from __future__ import annotations

import os
from pathlib import Path

SOURCES = {
    "bccd": (
        "git clone https://github.com/Shenggan/BCCD_Dataset, and copy its folder BCCD to {place}: "
        "it holds Annotations and JPEGImages"
    ),
    "sentence-polarity": (
        "take packages/corpora/sentence_polarity.zip from https://github.com/nltk/nltk_data, and write its two files "
        "as {place}/sentence_polarity.csv: the columns text and label, 1 for rt-polarity.pos and 0 for rt-polarity.neg"
    ),
    "movietweetings-100k": (
        "git clone https://github.com/sidooms/MovieTweetings, and copy snapshots/100K/ratings.dat to {place}"
    ),
}


def place(name: str, file: str = "") -> Path:
    """The folder of a set, or a file in it.

    Raises:
        FileNotFoundError: If it is not there; the message says where to get it.
    """
    return find(name, file, SOURCES, "{found} is not there. To get it: {how}.")


def find(name: str, file: str, sources: dict[str, str], told: str) -> Path:
    """The same, with the words that `sources` and `told` have for where to get it."""
    root = Path(os.environ.get("LEPTON_GALLERY_DATA") or Path(__file__).parent / "data").expanduser()
    found = root / name / file
    if not found.exists():
        raise FileNotFoundError(told.format(found=found, how=sources[name].format(place=root / name)))
    return found.resolve()
