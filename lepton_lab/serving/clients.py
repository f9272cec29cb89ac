"""Code that asks an endpoint, ready to copy: Python, curl and JavaScript; and a Dockerfile around a bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lepton_lab.errors import SpecError
from lepton_lab.serving.bundle import Bundle
from lepton_lab.serving.folders import publish_folder
from lepton_lab.serving.manifest import MANIFEST_FILE

LANGUAGES = ("python", "curl", "javascript")
KEY_VARIABLE = "LEPTON_KEY"
FILES = {"image": ("digit.png", "image/png"), "audio": ("sound.wav", "audio/wav")}


def client_code(url: str, bundle: Bundle, language: str) -> str:
    """Code that sends one item to an endpoint; the key comes from the environment, never from the code.

    Args:
        url: The endpoint's address.
        bundle: Says what an item is, and gives an example.
        language: "python", "curl" or "javascript".

    Raises:
        SpecError: For another language.
    """
    if language not in LANGUAGES:
        raise SpecError(f"language is {language!r}; expected one of {', '.join(LANGUAGES)}.")
    file = FILES.get(bundle.manifest.modality)
    if file is not None:
        return _FILE_CODE[language].format(url=url, name=file[0], kind=file[1], key=KEY_VARIABLE)
    body = json.dumps({"instances": [_item(bundle)]}, ensure_ascii=False)
    return _JSON_CODE[language].format(url=url, body=body, shell_body=_quoted(body), key=KEY_VARIABLE)


def _quoted(body: str) -> str:
    """The body between a shell's single quotes."""
    return body.replace("'", "'\\''")


def _item(bundle: Bundle) -> Any:
    """One real item, or one of zeros where the bundle has none."""
    example = bundle.manifest.example
    if example is not None:
        return example["text"] if bundle.manifest.modality == "text" and "text" in example else example
    nest: Any = 0.0
    for size in reversed(bundle.manifest.input.shape[1:]):
        nest = [nest] * max(1, size)
    return nest


_FILE_CODE = {
    "python": """import os
import httpx

with open("{name}", "rb") as file:
    answer = httpx.post(
        "{url}/predict",
        content=file.read(),
        headers={{"Content-Type": "{kind}", "X-API-Key": os.environ["{key}"]}},
    )
print(answer.json()["predictions"][0])
""",
    "curl": """curl -s {url}/predict -H "X-API-Key: ${key}" -H "Content-Type: {kind}" --data-binary @{name}
""",
    "javascript": """import {{ readFile }} from "node:fs/promises";

const answer = await fetch("{url}/predict", {{
  method: "POST",
  headers: {{ "Content-Type": "{kind}", "X-API-Key": process.env.{key} }},
  body: await readFile("{name}"),
}});
console.log((await answer.json()).predictions[0]);
""",
}
_JSON_CODE = {
    "python": """import json
import os
import httpx

answer = httpx.post(
    "{url}/predict",
    json=json.loads({body!r}),
    headers={{"X-API-Key": os.environ["{key}"]}},
)
print(answer.json()["predictions"][0])
""",
    "curl": """curl -s {url}/predict -H "X-API-Key: ${key}" -H "Content-Type: application/json" \\
  -d '{shell_body}'
""",
    "javascript": """const answer = await fetch("{url}/predict", {{
  method: "POST",
  headers: {{ "Content-Type": "application/json", "X-API-Key": process.env.{key} }},
  body: JSON.stringify({body}),
}});
console.log((await answer.json()).predictions[0]);
""",
}

_DOCKERFILE = """# Serves the bundle beside this file. Build and run:
#   docker build -t {name} .
#   docker run -p 127.0.0.1:8700:8700 {name}
# The key of the endpoint is printed once, at the first start.
FROM python:3.12-slim
RUN pip install --no-cache-dir "lepton-lab[serve]=={version}" && useradd --create-home serve
COPY bundle /bundle
USER serve
EXPOSE 8700
CMD ["lepton-lab", "serve", "/bundle", "--host", "0.0.0.0", "--port", "8700", "--allow-remote"]
"""


def write_dockerfile(bundle: Bundle, folder: Path, version: str) -> Path:
    """Writes a folder to build an image from: a Dockerfile and the bundle.

    Args:
        bundle: What the image serves.
        folder: Where it will stand; one that is there is not overwritten.
        version: The version of lepton_lab in the image.

    Raises:
        SpecError: If the folder exists.
    """
    if folder.exists():
        raise SpecError(f"{folder} exists; name another folder for the Dockerfile.")
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text(_DOCKERFILE.format(name=_tag(bundle.manifest.name), version=version), "utf-8")
    publish_folder(folder / "bundle", {**bundle.files, MANIFEST_FILE: bundle.manifest.to_json()})
    return folder


def _tag(name: str) -> str:
    """A name that Docker takes for an image."""
    plain = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name.lower())
    return plain.strip("-") or "net"
