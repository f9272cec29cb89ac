"""The files that the pages of `docs/` lead to: manifests fit their schemas, scripts and configuration are sound."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from lepton_lab import cli

ROOT = Path(__file__).parents[2]
KUBERAY, SLURM = ROOT / "deploy" / "kuberay", ROOT / "deploy" / "slurm" / "lepton-ray.sbatch"
HUB = ROOT / "deploy" / "jupyterhub" / "lepton_config.py"
PAGES = [
    ROOT / "docs" / f"{name}.md" for name in ("laptop-to-ray", "kubernetes", "slurm", "jupyterhub", "shared-storage")
]
KUBERNETES = "1.33"


def _documents() -> list[dict[str, Any]]:
    resources = yaml.safe_load((KUBERAY / "kustomization.yaml").read_text())["resources"]
    return [document for name in resources for document in yaml.safe_load_all((KUBERAY / name).read_text())]


def _one(kind: str) -> dict[str, Any]:
    (found,) = [document for document in _documents() if document["kind"] == kind]
    return found


def _strict(schema: Any) -> Any:
    """A schema that refuses what it does not name, as the API server does when it is asked to validate strictly."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _strict(each) for name, each in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found


def _check_cluster(cluster: dict[str, Any]) -> None:
    schema = _strict(json.loads((Path(__file__).parent / "raycluster.schema.json").read_text())["schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    jsonschema.Draft202012Validator(schema).validate(cluster)
    for group in [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]:
        template = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}, "template": group["template"]}
        kubernetes_validate.validate(template, KUBERNETES, strict=True)


def _pods() -> dict[str, dict[str, Any]]:
    """Each pod's template by what it is."""
    spec = _one("RayCluster")["spec"]
    pods = {"head": spec["headGroupSpec"]["template"], "notebook": _one("Deployment")["spec"]["template"]}
    return pods | {group["groupName"]: group["template"] for group in spec["workerGroupSpecs"]}


def test_the_ray_cluster_fits_the_schema_of_kuberay():
    _check_cluster(_one("RayCluster"))


@pytest.mark.parametrize(
    "path", [("authOption",), ("headGroupSpec", "template", "spec", "containers", 0, "imag"), ("authOptions", "mode")]
)
def test_a_slip_in_the_ray_cluster_would_be_found(path):
    cluster = _one("RayCluster")
    where: Any = cluster["spec"]
    for step in path[:-1]:
        where = where[step]
    where[path[-1]] = "tokne"
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        _check_cluster(cluster)


def test_all_else_fits_the_schema_of_kubernetes():
    others = [document for document in _documents() if document["kind"] != "RayCluster"]
    assert {document["kind"] for document in others} == {"PersistentVolumeClaim", "Deployment", "NetworkPolicy"}
    for document in others:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_the_cluster_asks_for_a_token_and_the_notebook_has_it():
    cluster = _one("RayCluster")
    assert cluster["spec"]["authOptions"] == {"mode": "token"}
    name = cluster["metadata"]["name"]
    container = _pods()["notebook"]["spec"]["containers"][0]
    env = {each["name"]: each for each in container["env"]}
    assert env["RAY_AUTH_MODE"]["value"] == "token"
    assert env["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"] == {"name": name, "key": "auth_token"}
    assert f"--address={name}-head-svc:6379" in container["args"][0]
    assert "--ip=127.0.0.1" in container["args"][0], "JupyterLab is reached by port-forward alone"


def test_nobody_else_comes_in_and_no_pod_has_more_rights_than_it_needs():
    policy = _one("NetworkPolicy")["spec"]
    (rule,) = policy["podSelector"]["matchExpressions"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    image = yaml.safe_load((KUBERAY / "kustomization.yaml").read_text())["images"][0]["name"]
    for name, pod in _pods().items():
        assert pod["metadata"]["labels"][rule["key"]] in rule["values"], f"the policy holds for {name}"
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["automountServiceAccountToken"] is (name == "head")
        for container in pod["spec"]["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["image"] == image
    (mount, _) = _pods()["workers"]["spec"]["containers"][0]["volumeMounts"]
    assert mount["readOnly"] is True, "workers do not write to the store"


def test_ray_is_the_version_that_the_project_pins():
    pinned = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None and _one("RayCluster")["spec"]["rayVersion"] == pinned[1]


def _shell(text: str) -> None:
    assert subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True).stderr == ""
    if shutil.which("shellcheck"):
        checked = subprocess.run(["shellcheck", "-s", "bash", "-"], input=text, text=True, capture_output=True)
        assert checked.returncode == 0, checked.stdout


def test_the_slurm_script_is_sound_and_refuses_what_it_does_not_know():
    text = SLURM.read_text()
    _shell(text)
    assert "RAY_AUTH_MODE=token" in text and "umask 077" in text
    refused = subprocess.run(["bash", SLURM, "deploy"], capture_output=True, text=True)
    assert refused.returncode == 2 and "train or resume" in refused.stderr


def test_shell_in_the_notebook_pod_is_sound():
    _shell(_pods()["notebook"]["spec"]["containers"][0]["args"][0])


class _Config(dict):
    """As much of traitlets' configuration as the fragment uses, and what it was told."""

    def __getattr__(self, name: str) -> Any:
        return self.setdefault(name, _Config())

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


@pytest.fixture
def hub(tmp_path, monkeypatch) -> tuple[_Config, dict[str, Any]]:
    monkeypatch.setenv("LEPTON_STORES", str(tmp_path))
    monkeypatch.setenv("LEPTON_TEAM_GROUP", "vision")
    config = _Config()
    names: dict[str, Any] = {"get_config": lambda: config}
    exec(compile(HUB.read_text(), str(HUB), "exec"), names)
    return config, names


def test_each_person_of_a_hub_has_a_store_and_a_team_shares_one(hub, tmp_path):
    config, _ = hub

    def spawner(name: str, *groups: str) -> SimpleNamespace:
        user = SimpleNamespace(name=name, escaped_name=name, groups=[SimpleNamespace(name=each) for each in groups])
        return SimpleNamespace(user=user)

    home = config["Spawner"]["environment"]["LEPTON_HOME"]
    people = [spawner("no-such-account-1"), spawner("no-such-account-2", "vision"), spawner("nobody-3", "vision")]
    stores = [home(each) for each in people]
    assert stores[0] != stores[1] == stores[2]
    for person in [*people, *people]:  # a second start finds it there
        config["Spawner"]["pre_spawn_hook"](person)
    assert {stat.S_IMODE(os.stat(store).st_mode) for store in stores} == {0o700}


def test_what_the_hub_is_told_are_options_that_it_has(hub):
    pytest.importorskip("jupyterhub", reason="JupyterHub is not installed; its options are not looked up")
    from jupyterhub.app import JupyterHub
    from jupyterhub.spawner import Spawner

    classes = {"Spawner": Spawner, "JupyterHub": JupyterHub}
    for name, options in hub[0].items():
        assert options.keys() <= classes[name].class_trait_names(config=True)


def _fences(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_has_its_reader_type_is_sound(page):
    for text in _fences(page, "bash"):
        _shell(text)
    for text in _fences(page, "python"):
        ast.parse(text)
    for path in re.findall(r"\]\(\.\./([^)#]+)\)", page.read_text()):
        assert (ROOT / path).exists(), f"{page.name} leads to {path}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_options_of_lepton_lab_on_a_page_exist(page, capsys):
    for line in "\n".join(_fences(page, "bash")).replace("\\\n", " ").splitlines():
        found = re.search(r"lepton-lab (train|deploy|tune)\b(.*)", line)
        if found:
            assert cli.main([found[1], "--help"]) == 0
            known = capsys.readouterr().out
            for option in re.findall(r"--[a-z][a-z-]+", found[2]):
                assert option in known, f"{option} on {page.name}"


def test_the_readme_leads_to_the_pages():
    readme = (ROOT / "README.md").read_text()
    assert all(f"docs/{page.name}" in readme for page in PAGES)


def test_the_pages_options_of_ray_exist():
    scripts = pytest.importorskip("ray.scripts.scripts", reason="Ray is not installed; its options are not looked up")
    known = {option for parameter in scripts.start.params for option in parameter.opts}
    files = [*PAGES, SLURM, KUBERAY / "notebook.yaml"]
    commands = re.findall(r"ray start ((?:--[^\n]*|\\\n\s*)+)", "\n".join(file.read_text() for file in files))
    assert commands
    for option in re.findall(r"--[a-z][a-z-]+", " ".join(commands)):
        assert option in known or option in {"--temp-dir"}
    parameters = {key for group in [_one("RayCluster")["spec"]["headGroupSpec"]] for key in group["rayStartParams"]}
    assert {f"--{each}" for each in parameters} <= known
