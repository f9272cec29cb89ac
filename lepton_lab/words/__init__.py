"""The reader's language: which one it is, the catalogue, and sentences said in it.

Code, records, events and JSON are English, and so is the text of an exception. A face translates at the last moment:

- `_("...")` gives the text in the reader's language, and marks it for the catalogue; an f-string may stand inside.
- `say(sentence)` translates a sentence that somebody else wrote: an exception's, a warning's, a record's.
- `told(values)` puts a sentence's translations beside it, for a page whose reader is not known yet.
- `with speaking("zh"):` for one request of somebody who reads another language than this process.

The catalogue is `locale/zh_CN/LC_MESSAGES/lepton_lab.po`, read when it is first needed. A message with values has named
fields, made from the f-string that it is written as: `f"No file is called {path.name!r}."` is
`No file is called {name}.` there. A sentence is recognised by what stands between its fields (`templates.py`), so that
the code that raises it needs no second wording, and a record written in English is read in Chinese years later.
`make words` collects new messages; `tests/words/` finds what is missing.
"""

from lepton_lab.words.catalogue import Catalogue, catalogue
from lepton_lab.words.choice import LANGUAGES, choose, config_path, keep, language, language_of, speaking
from lepton_lab.words.saying import N_, _, heads, say, told
from lepton_lab.words.width import columns, left, right, wrap

__all__ = [
    "LANGUAGES",
    "N_",
    "Catalogue",
    "_",
    "catalogue",
    "choose",
    "columns",
    "config_path",
    "heads",
    "keep",
    "language",
    "language_of",
    "left",
    "right",
    "say",
    "speaking",
    "told",
    "wrap",
]
