"""The endpoint's OpenAPI 3.1 document, made from the bundle that answers."""

from __future__ import annotations

from typing import Any

from lepton_lab.serving.bundle import Bundle
from lepton_lab.serving.codec_v2 import HEADER_LENGTH, MAX_DIMENSION, MAX_ID_CHARACTERS
from lepton_lab.serving.manifest import TensorSignature
from lepton_lab.serving.requests import MAX_ROWS

Schema = dict[str, Any]


def document(name: str, bundle: Bundle, columns: list[str]) -> Schema:
    """The whole document.

    Args:
        name: The endpoint's name.
        bundle: The bundle in service.
        columns: Column names of a table's rows; empty for pictures.
    """
    return {
        "openapi": "3.1.0",
        "info": {"title": f"lepton_lab endpoint {name}", "version": bundle.sha256[:12]},
        "servers": [{"url": "."}],
        "security": [{"bearer": []}, {"header": []}],
        "paths": _paths(name, bundle, columns),
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
            "schemas": _schemas(bundle, columns),
        },
    }


TEXTS = frozenset({"text"})
FILES = {"image": ("image/png", "image/jpeg"), "audio": ("audio/wav",)}
"""What a person sends as a file, by modality."""


def _paths(name: str, bundle: Bundle, columns: list[str]) -> Schema:
    """Every path with its operations."""
    model = f"/v2/models/{name}"
    plain = {
        "/v2": "Server metadata",
        "/v2/health/live": "Liveness",
        "/v2/health/ready": "Readiness",
        model: "Model metadata",
        model + "/ready": "Model readiness",
        "/info": "What the model is and takes",
    }
    paths: Schema = {path: {"get": _operation(path, text)} for path, text in plain.items()}
    paths["/metrics"] = {"get": _operation("/metrics", "Prometheus metrics", answer="text/plain")}
    paths["/openapi.json"] = {"get": _operation("/openapi.json", "This document")}
    if bundle.example is not None:
        paths["/example"] = {"get": _operation("/example", "A real file to try", answer=bundle.example[1])}
    paths["/predict"] = {"post": _predict(bundle, columns)}
    paths[model + "/infer"] = {"post": _infer(model)}
    return paths


def _operation(path: str, summary: str, *, answer: str = "application/json", schema: Schema | None = None) -> Schema:
    """An operation with the answers that every route can give."""
    error = {"content": {"application/json": {"schema": _ref("Error")}}}
    return {
        "operationId": path.strip("/").replace("/", "_").replace(".", "_") or "page",
        "summary": summary,
        "responses": {
            "200": {"description": "OK", "content": {answer: {"schema": schema or {}}}},
            "401": {"description": "No valid API key", **error},
            "4XX": {"description": "The request cannot be answered", **error},
            "503": {"description": "Busy; see Retry-After", **error},
        },
    }


def _predict(bundle: Bundle, columns: list[str]) -> Schema:
    """`/predict` with the content types that fit the model."""
    binary = {"type": "string", "contentMediaType": "application/octet-stream"}
    content: Schema = {"application/json": {"schema": _ref("PredictRequest")}}
    modality = bundle.manifest.modality
    if columns:
        content["text/csv"] = {"schema": {"type": "string"}}
    if modality in TEXTS:
        content["text/plain"] = {"schema": {"type": "string"}}
    if modality in FILES:
        for kind in FILES[modality]:
            content[kind] = {"schema": binary}
        content["multipart/form-data"] = {"schema": {"type": "object", "properties": {"file": binary}}}
    operation = _operation("/predict", "What a person has in, answers out", schema=_ref("PredictResponse"))
    top = {"name": "top", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 999_999}}
    explain = {"name": "explain", "in": "query", "schema": {"type": "boolean"}}
    body = {"required": True, "content": content}
    return {**operation, "parameters": [top, explain], "requestBody": body}


def _infer(model: str) -> Schema:
    """The v2 inference call."""
    operation = _operation(model + "/infer", "Open Inference Protocol v2", schema=_ref("InferResponse"))
    length = {
        "name": HEADER_LENGTH,
        "in": "header",
        "description": "Bytes of JSON before the raw tensor",
        "schema": {"type": "integer", "minimum": 0},
    }
    body = {"required": True, "content": {"application/json": {"schema": _ref("InferRequest")}}}
    return {**operation, "parameters": [length], "requestBody": body}


def _schemas(bundle: Bundle, columns: list[str]) -> Schema:
    """The bodies."""
    gives, entries = bundle.manifest.output, [_tensor(entry) for entry in bundle.manifest.inputs]
    request = {
        "id": {"type": "string", "maxLength": MAX_ID_CHARACTERS},
        "inputs": {"type": "array", "prefixItems": entries, "minItems": len(entries), "maxItems": len(entries)},
    }
    scored = {"name": {"const": gives.name}, "datatype": {"const": "FP32"}, "shape": _SHAPE, "data": _NUMBERS}
    answer = {"model_name": _TEXT, "model_version": _TEXT, "outputs": {"type": "array", "items": _object(scored)}}
    scores = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}}
    prediction = {
        "type": "object",
        "properties": {"label": _TEXT, "confidence": {"type": ["number", "null"]}, "scores": scores},
        "required": ["label", "confidence"],
    }
    meta = {"model": _TEXT, "version": {"type": "integer"}, "milliseconds": {"type": "number"}}
    return {
        "Error": _object({"error": _TEXT, "field": {"type": ["string", "null"]}}),
        "PredictRequest": {"anyOf": [_object({"instances": _instances(bundle, columns)}), *_row(columns)]},
        "PredictResponse": _object({"predictions": {"type": "array", "items": prediction}, **meta}),
        "InferRequest": _object(request, {"inputs": ...}),
        "InferResponse": _object(answer, {"outputs": ...}),
    }


def _tensor(takes: TensorSignature) -> Schema:
    """An input of the v2 inference call."""
    dimensions: list[Schema] = [{"type": "integer", "minimum": 1, "maximum": MAX_ROWS}]
    for size in takes.shape[1:]:
        dimensions.append(
            {"const": size} if size != -1 else {"type": "integer", "minimum": 1, "maximum": MAX_DIMENSION}
        )
    shape = {"type": "array", "prefixItems": dimensions, "minItems": len(dimensions), "maxItems": len(dimensions)}
    tensor = {"name": {"const": takes.name}, "datatype": {"const": takes.datatype}, "shape": shape}
    numbers: Schema = {"type": "array", "items": {"type": "number" if takes.datatype == "FP32" else "integer"}}
    return _object({**tensor, "data": numbers}, tensor)


def _instances(bundle: Bundle, columns: list[str]) -> Schema:
    """The list of instances: rows for tables, sentences for texts, nested numbers or files for the rest."""
    nested = {"type": "array"}
    file = _object({"b64": {"type": "string", "contentEncoding": "base64"}})
    if columns:
        items = _row(columns)[0]
    elif bundle.manifest.modality in TEXTS:
        items = _TEXT
    elif bundle.manifest.modality in FILES:
        items = {"anyOf": [nested, file]}
    else:
        items = {"anyOf": [nested, {"type": "object"}]}
    return {"type": "array", "minItems": 1, "maxItems": MAX_ROWS, "items": items}


def _row(columns: list[str]) -> list[Schema]:
    """One row of a table as a schema, where the model takes rows."""
    value = {"type": ["number", "string", "null"]}
    return [{"type": "object", "properties": {name: value for name in columns}}] if columns else []


def _object(properties: Schema, required: Schema | None = None) -> Schema:
    """An object whose properties are all needed, unless told which."""
    return {"type": "object", "properties": properties, "required": list(properties if required is None else required)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_TEXT: Schema = {"type": "string"}
_NUMBERS: Schema = {"type": "array", "items": {"type": "number"}}
_SHAPE: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": MAX_DIMENSION}}
