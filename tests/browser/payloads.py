"""Fifty texts that would run, if any page took them for markup, and a store in which every text is one of them."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from lepton_lab.runs.events import EventLog
from lepton_lab.runs.labels import note_run, rename_run, tag_run
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord, create_run
from lepton_lab.specs import RunSpec

# `hacked` is a function that the page's watcher puts there; `alert` opens a dialog, which is watched for too.
PAYLOADS = [
    "<script>hacked(1)</script>",
    "<script src=data:text/javascript,hacked(1)></script>",
    "<img src=x onerror=hacked(1)>",
    '"><img src=x onerror=hacked(1)>',
    "'><img src=x onerror=hacked(1)>",
    "' onmouseover='hacked(1)' autofocus onfocus='hacked(1)",
    '" autofocus onfocus="hacked(1)" x="',
    "` onerror=`hacked(1)",
    "<svg onload=hacked(1)>",
    "<svg><script>hacked(1)</script></svg>",
    "<svg><animate onbegin=hacked(1) attributeName=x dur=1s>",
    "<svg><style><img src=x onerror=hacked(1)></style></svg>",
    "<svg><foreignObject><img src=x onerror=hacked(1)></foreignObject></svg>",
    "<svg/onload=hacked&lpar;1&rpar;>",
    "<math><mtext><table><mglyph><style><img src=x onerror=hacked(1)>",
    '<noscript><p title="</noscript><img src=x onerror=hacked(1)>">',
    "<iframe srcdoc='<script>parent.hacked(1)</script>'></iframe>",
    "<iframe src=javascript:parent.hacked(1)></iframe>",
    "<object data=javascript:hacked(1)></object>",
    "<embed src=javascript:hacked(1)>",
    "<a href=javascript:hacked(1)>press</a>",
    "<a href='data:text/html,<script>opener.hacked(1)</script>'>press</a>",
    "javascript:hacked(1)",
    "java\u200bscript:hacked(1)//",
    "[press](javascript:hacked(1))",
    "![x](x' onerror='hacked(1))",
    "<body onload=hacked(1)>",
    "<details open ontoggle=hacked(1)>",
    "<input autofocus onfocus=hacked(1)>",
    "<select autofocus onfocus=hacked(1)>",
    "<video><source onerror=hacked(1)></video>",
    "<audio src=x onerror=hacked(1)>",
    "<marquee onstart=hacked(1)>x</marquee>",
    "<form action=javascript:hacked(1)><button autofocus>x</button></form>",
    "<meta http-equiv=refresh content='0;url=javascript:hacked(1)'>",
    "<base href=javascript:hacked(1)//>",
    "<link rel=stylesheet href=data:text/css,*{display:none}>",
    "<style>@import 'javascript:hacked(1)';*{display:none}</style>",
    "<p style=animation-name:x onanimationstart=hacked(1)>",
    "</script><script>hacked(1)</script>",
    "</title></style></textarea><img src=x onerror=hacked(1)>",
    "--><img src=x onerror=hacked(1)><!--",
    "]]><img src=x onerror=hacked(1)>",
    "&lt;img src=x onerror=hacked(1)&gt;",
    "\\u003cimg src=x onerror=hacked(1)\\u003e",
    "{{constructor.constructor('hacked(1)')()}}",
    "${hacked(1)}",
    "$\\href{javascript:hacked(1)}{press}$",
    "$\\unicode{<img src=x onerror=hacked(1)>}$",
    "=HYPERLINK(hacked(1))<script>alert(1)</script>",
]
_ROWS_OF_EACH = 12


def file_name(payload: str) -> str:
    """The payload as a file may be called."""
    return payload.replace("/", "\u2215")


def write_table(folder: Path) -> Path:
    """A CSV file whose name, columns, categories and classes are payloads; what a class is can be learned."""
    draw = random.Random(0)
    path = folder / f"{file_name(PAYLOADS[2])}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([*PAYLOADS[:4], PAYLOADS[8]])
        for row in range(_ROWS_OF_EACH * len(PAYLOADS)):
            which = row % len(PAYLOADS)
            numbers = [which + draw.random(), draw.random()]
            table.writerow([*numbers, PAYLOADS[which % 7], draw.choice(PAYLOADS[9:14]), PAYLOADS[which]])
    return path


def label(run_dir: Path, payload: str) -> None:
    """The payload as title, tag and note of a run."""
    printable = payload.replace("\u200b", "")
    rename_run(run_dir, printable, by=payload)
    tag_run(run_dir, [printable.replace(" ", "/").replace(",", ";")[:40]], by=payload)
    note_run(run_dir, payload * 3, by=payload)


def record_failed(store: Store, number: int) -> RunRecord:
    """The record of a run that its worker gave up, with nothing in it that is not a payload."""
    payload = PAYLOADS[number]
    data = {"name": f"{file_name(payload)}.csv", "target": payload}
    run = create_run(store, RunSpec.parse({"data": data, "model": {"name": "mlp"}, "train": {}}), name=f"evil-{number}")
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarted", device=payload, steps_per_epoch=2, steps_total=6, learning_rate=0.1, from_step=0)
        writer.append("EpochEnded", epoch=1, step=2, val_accuracy=0.5, val_loss=0.5)
        writer.append("RunFailed", reason=payload, message=payload)
    label(run.dir, payload)
    return run
