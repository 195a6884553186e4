"""What a worker's interpreter runs: `python start.py SOCKET`, with its configuration as JSON behind that descriptor.

Another interpreter than the learner's need not have what this package needs. It then sees a package of the same name
and place that imports nothing.
"""

import json
import os
import sys
import types


def read_config(descriptor: int) -> dict:
    """One line of JSON, without a byte beyond it."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        if not byte:
            sys.exit(0)  # whoever asked is gone
        line += byte
    return json.loads(line)


def main() -> None:
    """Prepares imports, and works."""
    descriptor = int(sys.argv[1])
    config = read_config(descriptor)
    here = sys.path.pop(0)  # modules of this folder are no names of their own
    if config["path"] is not None:  # of the learner, whose interpreter this is
        sys.path[:] = config["path"]
    else:
        package = types.ModuleType("marlcomm")
        package.__path__ = [os.path.dirname(here)]
        sys.modules["marlcomm"] = package
        sys.path.append(os.getcwd())
    from marlcomm.bridge.worker import work

    work(descriptor, config)


if __name__ == "__main__":
    main()
