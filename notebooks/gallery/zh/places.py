"""What `places.py` of the folder above does, for the same data, said in Chinese."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

SOURCES = {
    "bccd": (
        "git clone https://github.com/Shenggan/BCCD_Dataset，把其中的文件夹 BCCD 复制为 {place}："
        "里面有 Annotations 和 JPEGImages"
    ),
    "sentence-polarity": (
        "从 https://github.com/nltk/nltk_data 取得 packages/corpora/sentence_polarity.zip，把其中的两个文件写成 "
        "{place}/sentence_polarity.csv：两列 text 和 label，rt-polarity.pos 为 1，rt-polarity.neg 为 0"
    ),
    "movietweetings-100k": (
        "git clone https://github.com/sidooms/MovieTweetings，把 snapshots/100K/ratings.dat 复制到 {place}"
    ),
}


def place(name: str, file: str = "") -> Path:
    """The folder of a set, or a file in it.

    Raises:
        FileNotFoundError: If it is not there; the message says where to get it.
    """
    spec = spec_from_file_location("gallery_places", Path(__file__).parents[1] / "places.py")
    gallery = module_from_spec(spec)
    spec.loader.exec_module(gallery)
    return gallery.find(name, file, SOURCES, "没有找到 {found}。获取方法：{how}。")
