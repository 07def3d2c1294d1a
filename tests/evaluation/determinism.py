"""`python -m tests.evaluation.determinism COUNT SEED`: a digest of COUNT paths over a shuffled catalog.

Runs of different seeds, each in a process with its own hash seed, must print the same.
"""

import hashlib
import os
import subprocess
import sys

import msgspec
import numpy as np

from services.recommender.planner import pipeline
from tests.evaluation.timing import officers
from tests.evaluation.worlds import generated, view_of


def digest(count: int, seed: int) -> str:
    """Return the digest of the paths of `count` officers; `seed` only shuffles the catalog."""
    world = generated(1000, 200, 3)
    order = np.random.default_rng(seed).permutation(len(world.courses))
    view = view_of([world.courses[number] for number in order])
    found = hashlib.sha256()
    for inputs in officers(world, count):
        found.update(msgspec.json.encode(pipeline.recommend(inputs, view)))
    return found.hexdigest()


def digests(count: int) -> set[str]:
    """Return the different digests of three processes."""
    return {_elsewhere(count, seed) for seed in (1, 2, 3)}


def _elsewhere(count: int, seed: int) -> str:
    command = [sys.executable, "-m", "tests.evaluation.determinism", str(count), str(seed)]
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    print(digest(int(sys.argv[1]), int(sys.argv[2])))  # noqa: T201 - what it is for
