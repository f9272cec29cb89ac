"""The REST handlers about one endpoint: all about it, another version, bringing it back, ending a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lepton_lab.errors import SpecError
from lepton_lab.jupyter.base import LeptonHandler, closed
from lepton_lab.runs import endpoint_care
from lepton_lab.runs.paths import Store


class EndpointHandler(LeptonHandler):
    """GET endpoints/<name>: versions, keys with their usage, drift, history, the end of the log."""

    @closed
    async def get(self, name: str) -> None:
        """Answers with all about an endpoint; no key is part of it."""
        self.reply(await self.hub.in_thread(endpoint_care.endpoint_details, self.hub.store, name))


class _CareHandler(LeptonHandler):
    """POST endpoints/<name>/<deed>."""

    @staticmethod
    def care(store: Store, name: str, body: Mapping[str, Any]) -> None:
        """Does it."""
        raise NotImplementedError

    @closed
    async def post(self, name: str) -> None:
        """Does it, and answers with all about the endpoint."""
        body = self.body_json()
        await self.hub.in_thread(type(self).care, self.hub.store, name, body)
        self.reply(await self.hub.in_thread(endpoint_care.endpoint_details, self.hub.store, name))
        self.hub.look_now()


class EndpointVersionHandler(_CareHandler):
    """POST endpoints/<name>/version {"version"}: lets this version answer."""

    @staticmethod
    def care(store: Store, name: str, body: Mapping[str, Any]) -> None:
        version = body.get("version")
        if not isinstance(version, int) or isinstance(version, bool):
            raise SpecError(f"version is {version!r}; expected the number of one of the endpoint's versions.")
        endpoint_care.switch_version(store, name, version)


class EndpointStartHandler(_CareHandler):
    """POST endpoints/<name>/start: brings a stopped endpoint back."""

    @staticmethod
    def care(store: Store, name: str, body: Mapping[str, Any]) -> None:
        endpoint_care.bring_back(store, name)


class EndpointRevokeHandler(_CareHandler):
    """POST endpoints/<name>/revoke {"key_id"}: ends a key."""

    @staticmethod
    def care(store: Store, name: str, body: Mapping[str, Any]) -> None:
        key_id = body.get("key_id")
        if not isinstance(key_id, str):
            raise SpecError(f"key_id is {key_id!r}; expected the id of one of the endpoint's keys.")
        endpoint_care.revoke_key(store, name, key_id)
