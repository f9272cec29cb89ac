"""JupyterLab finds our texts where it looks for those of any extension."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
from jupyterlab_server.translation_utils import get_language_pack


def test_jupyterlab_gets_our_chinese_texts_beside_its_own():
    if not entry_points(group="jupyterlab.locale", name="lepton_lab"):
        pytest.skip("NOT INSTALLED: this lepton_lab has been put on the path alone; pip install -e .")
    found, _ = get_language_pack("zh_CN")
    texts = found["lepton_lab"]
    assert texts[""]["language"] == "zh-CN" == found["jupyterlab"][""]["language"]
    assert texts["panel.search\x04Find runs"] == ["查找运行"]
    assert "lepton_lab" not in get_language_pack("fr_FR")[0]
