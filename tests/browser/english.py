"""English that is left over on a Chinese page."""

from __future__ import annotations

import re
from collections.abc import Collection

from playwright.sync_api import Page

# What a person sees or is read: texts, names and hints; code, addresses and file names are meant to be as they are.
SEEN = """selector => {
  const found = new Set();
  const root = document.querySelector(selector);
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = walker.currentNode; node; node = walker.nextNode()) {
    const element = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
    if (!element.checkVisibility() || element.closest('code, pre, style, script, textarea, [translate=no]')) {
      continue;
    }
    const texts = node.nodeType === Node.TEXT_NODE
      ? [node.data]
      : ['aria-label', 'title', 'placeholder', 'alt'].map(name => node.getAttribute(name) ?? '');
    texts.forEach(text => found.add(text.trim()));
  }
  return [...found];
}"""
# Names of things, values of options, and what Chinese writes in Latin letters too.
NAMES = {
    "auto", "chosen", "cnn", "compress", "cpu", "digits", "etth1", "etth2", "f1", "k", "kb", "lepton", "m", "mb",
    "movielens", "ms", "python", "quicknet", "resnet", "s", "transformer",
}  # fmt: skip
WORD = re.compile(r"[A-Za-z][A-Za-z0-9'’]*")
# An address, a path, a name with a dash or a point in it, an abbreviation: not a word of a sentence.
NO_WORD = re.compile(r"https?://\S+|\S*[_/=.-]\S*|%\w+|\b[A-Z]{2,}\d*\b")


def english_left(page: Page, selector: str = ".lp-studio", names: Collection[str] = ()) -> list[str]:
    """The texts of a part of a page that hold English words; `names` are allowed beside the usual ones."""
    known = NAMES | {name.lower() for name in names}
    left = []
    for text in page.evaluate(SEEN, selector):
        words = [word.lower() for word in WORD.findall(NO_WORD.sub(" ", text))]
        if any(word not in known for word in words):
            left.append(text)
    return sorted(left)
