"""What JupyterHub is told for lepton_lab: `load_subconfig("/etc/jupyterhub/lepton_config.py")` in jupyterhub_config.py.

Each person has a run store, and the members of a hub's group may share one. Data that has been fetched once is read by
all and written by nobody. How people log in and where their servers start stays as it is.
"""

import os
import pwd
from pathlib import Path

c = get_config()  # noqa: F821 - traitlets puts it here

STORES = Path(os.environ.get("LEPTON_STORES", "/srv/lepton/stores"))
"""Root's, mode 0711: everybody gets to their own folder, nobody sees the others' names."""
DATA = os.environ.get("LEPTON_SHARED_DATA", "/srv/lepton/data")
"""Public datasets, to be read by all: what `LEPTON_DATA_MIRROR` names."""
TEAM = os.environ.get("LEPTON_TEAM_GROUP", "")
"""A group of the hub whose members share one store. Their servers must run on one host, as one account of the system:
whoever may write to a store may run code as whoever else works there."""


def lepton_home(spawner):
    """The run store of the person whose server is about to start."""
    groups = {group.name for group in spawner.user.groups}
    return str(STORES / (f"team-{TEAM}" if TEAM and TEAM in groups else f"of-{spawner.user.escaped_name}"))


def make_store(spawner):
    """Makes the store's folder, closed to others; it is the account's that the server will run as."""
    folder = Path(lepton_home(spawner))
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        try:
            account = pwd.getpwnam(spawner.user.name)
        except KeyError:  # a hub whose people are no accounts of the system starts their servers as itself
            return
        os.chown(folder, account.pw_uid, account.pw_gid)


c.Spawner.environment.update({"LEPTON_HOME": lepton_home, "LEPTON_DATA_MIRROR": DATA})
c.Spawner.pre_spawn_hook = make_store
# Trainings go on when the browser, the server or the hub ends, if the spawner leaves a server's children alone:
c.JupyterHub.cleanup_servers = False
