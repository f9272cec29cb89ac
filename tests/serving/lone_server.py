"""The endpoint's server without a supervisor behind it: the tests start and end servers themselves."""

from __future__ import annotations

import sys

from lepton_lab.serving import deadlines, requests, server

if __name__ == "__main__":
    server.SUPERVISE_SECONDS = float("inf")
    arguments = sys.argv[1:]
    if "--impatient" in arguments:
        arguments.remove("--impatient")
        deadlines.HEAD_SECONDS = deadlines.READ_SECONDS = requests.BODY_SECONDS = 1.0
    sys.exit(server.main(arguments))
