"""What a user installs: one wheel that is whole, needs no Node and leaves the user's torch alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """A folder with the wheel and the sdist of this tree."""
    out = tmp_path_factory.mktemp("dist")
    argv = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--sdist", "--outdir", str(out), str(ROOT)]
    built = subprocess.run(argv, capture_output=True, text=True, timeout=280)
    assert built.returncode == 0, built.stdout + built.stderr
    return out


@pytest.fixture(scope="module")
def wheel(dist) -> Path:
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def names(wheel) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


@pytest.fixture(scope="module")
def requirements(wheel) -> list[Requirement]:
    """What the wheel asks for, extras included."""
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    fields = Parser().parsestr(archive.read(metadata).decode())
    return [Requirement(line) for line in fields.get_all("Requires-Dist", [])]


def has(names: list[str], pattern: str) -> bool:
    return any(re.search(pattern, name) for name in names)


def test_the_wheel_is_whole(names):
    assert has(names, r"^lepton_lab/cli\.py$")
    assert has(names, r"^lepton_lab/widgets/static/.+\.js$")
    assert has(names, r"^lepton_lab/words/locale/zh_CN/LC_MESSAGES/lepton_lab\.po$")
    assert has(names, r"\.data/data/share/jupyter/labextensions/lepton-lab/package\.json$")
    assert has(names, r"\.data/data/share/jupyter/labextensions/lepton-lab/static/remoteEntry\..+\.js$")
    assert has(names, r"\.data/data/etc/jupyter/jupyter_server_config\.d/lepton-lab\.json$")
    assert has(names, r"\.data/data/share/jupyter/voila/templates/lepton/index\.html\.j2$")
    assert has(names, r"\.data/data/share/jupyter/voila/templates/lepton/static/page\.js$")


def test_the_wheel_holds_nothing_else(names):
    assert not has(names, r"^(js|tests|notebooks|binder)/")
    assert not has(names, r"node_modules|\.ipynb$|^lepton_lab/labextension")


def test_an_sdist_carries_the_built_files_and_no_node_modules(dist):
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    assert has(names, r"/lepton_lab/labextension/package\.json$")
    assert has(names, r"/js/src/")
    assert not has(names, r"node_modules|/js/\.yarn/|/js/lib/|tests/artifacts")
    assert sdist.stat().st_size < 10 * 2**20


@pytest.mark.parametrize("theirs", ["2.4.0+cu121", "2.6.0+rocm6.2", "2.11.0+cu130", "2.13.0+cpu", "2.13.0", "3.0"])
def test_any_recent_torch_of_the_user_satisfies_the_package(requirements, theirs):
    (torch,) = (each for each in requirements if each.name == "torch")
    assert torch.specifier.contains(theirs)


def test_nothing_asks_for_packages_that_replace_torch(requirements):
    peers = "extra == 'bench'"  # what the benchmarks measure against is never needed to use or to test the package
    names = {canonicalize_name(each.name) for each in requirements if peers not in str(each.marker).replace('"', "'")}
    assert not names & {"torchvision", "torchaudio", "fastai", "timm", "onnx2torch", "lightning"}


def test_installing_changes_no_other_package(wheel, tmp_path):
    """pip, asked for the wheel with its main extras, finds all it needs here and would install the wheel alone."""
    report = tmp_path / "report.json"
    argv = ["install", "--dry-run", "--quiet", "--no-index", "--report", str(report), f"{wheel}[serve,lab]"]
    ran = subprocess.run([sys.executable, "-m", "pip", *argv], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    changed = [each["metadata"]["name"] for each in json.loads(report.read_text())["install"]]
    assert set(changed) <= {"lepton-lab"}


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """An environment with the wheel, and the packages of this one below it; returns its folder of programs."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    programs = folder / "bin"
    (site,) = folder.glob("lib/python3*/site-packages")
    argv = ["install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", "--prefix", str(folder), str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *argv], check=True, timeout=120)
    others = [path for path in sys.path if path.endswith("site-packages")]
    (site / "others.pth").write_text("\n".join(others) + "\n")
    return programs


def ask(programs: Path, *argv: str) -> str:
    """What a command of the installed environment prints, with no Node in sight."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "JUPYTER"))}
    env |= {"PATH": str(programs), "JUPYTER_NO_CONFIG": "1"}
    ran = subprocess.run(
        [programs / "python", *argv], env=env, cwd=programs, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_jupyterlab_finds_the_extension_of_the_wheel(installed):
    said = ask(installed, "-c", "from jupyterlab.labextensions import main; main()", "list")
    assert re.search(r"lepton-lab v\S+ .*enabled.*OK", said), said


def test_the_jupyter_server_finds_the_extension_of_the_wheel(installed):
    said = ask(installed, "-m", "jupyter_server.extension.serverextension", "list")
    assert re.search(r"lepton_lab\.jupyter.*enabled", said), said
    assert re.search(r"lepton_lab\.jupyter .*OK", said), said


def test_the_command_is_there(installed):
    assert (installed / "lepton-lab").exists()
    assert "train" in ask(installed, str(installed / "lepton-lab"), "--help")


def test_the_development_environment_is_pinned():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!]+", line) for line in lines)
    pinned = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    assert pinned["torch"] == "2.13.0"
    extras = PROJECT["optional-dependencies"]
    asked = [*PROJECT["dependencies"], *extras["serve"], *extras["lab"], *extras["dev"], *extras["bench"]]
    for each in map(Requirement, asked):
        if each.name != "lepton-lab":
            assert each.specifier.contains(pinned[canonicalize_name(each.name)]), each


def test_all_brings_every_extra_but_the_developers_own():
    extras = set(PROJECT["optional-dependencies"]) - {"all", "dev", "bench"}
    (everything,) = map(Requirement, PROJECT["optional-dependencies"]["all"])
    assert everything.extras == extras


def test_no_file_names_a_package_index():
    for name in (
        "pyproject.toml",
        "constraints.txt",
        "Makefile",
        ".ci/run",
        "binder/environment.yml",
        "binder/postBuild",
    ):
        text = (ROOT / name).read_text()
        assert not re.search(r"index-url|find-links|trusted-host|https?://(?!\S*mybinder)", text), name


def test_binder_builds_what_the_package_needs(wheel, tmp_path):
    """The environment file is read as Binder reads it, and its pip step is resolved against this wheel."""
    environment = yaml.safe_load((ROOT / "binder/environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    found = {re.split(r"[=<>]", each)[0]: each for each in environment["dependencies"]}
    assert set(found) == {"python", "pip", "nodejs", "pytorch-cpu"}
    assert Requirement("python" + PROJECT["requires-python"]).specifier.contains(found["python"].split("=")[1])
    assert found["pytorch-cpu"].removeprefix("pytorch-cpu") in str(Requirement("torch>=2.4").specifier)
    post_build = (ROOT / "binder/postBuild").read_text()
    assert os.access(ROOT / "binder/postBuild", os.X_OK)
    subprocess.run(["bash", "-n", str(ROOT / "binder/postBuild")], check=True)
    (extras,) = re.findall(r"pip install .*'\.\[([a-z,]+)\]'", post_build)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    argv = ["install", "--dry-run", "--quiet", "--no-index", f"{wheel}[{extras}]"]
    subprocess.run([sys.executable, "-m", "pip", *argv], check=True, timeout=120)


def test_ci_runs_what_developers_run():
    assert re.search(r"^exec make test$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"setup", "lab", "test", "dashboard", "bench", "faults", "clean"} <= set(re.findall(r"make (\S+)", said))


def test_no_kernel_is_taken_that_leaves_a_cell_unread():
    """ipykernel 7.0 to 7.3 reads a request that comes while a reply leaves only once another page connects."""
    (kernel,) = [each for each in map(Requirement, PROJECT["dependencies"]) if each.name == "ipykernel"]
    released = ("6.31.0", "7.0.1", "7.1.0", "7.2.0", "7.3.0", "7.4.0")
    assert list(kernel.specifier.filter(released)) == ["6.31.0", "7.4.0"]
