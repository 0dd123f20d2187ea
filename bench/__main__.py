"""``python -m bench [NAME …]``: one comparison, or all of them at a size that ends within a quarter of an hour."""

import argparse
import sys
from types import ModuleType

from bench import capacity, detect, fold, live, nexmark, parcels, restore, scale, sender, waiting

COMPARISONS: dict[str, ModuleType] = {
    "capacity": capacity,
    "detect": detect,
    "fold": fold,
    "live": live,
    "nexmark": nexmark,
    "parcels": parcels,
    "restore": restore,
    "scale": scale,
    "sender": sender,
    "waiting": waiting,
}
SHORT = (
    ["detect", "--visitors", "4000", "--runs", "3"],
    ["detect", "--visitors", "4000", "--runs", "3", "--framing", "wire"],
    ["fold", "--visitors", "4000", "--pairs", "4"],
    ["nexmark"],
    ["sender"],
    ["restore"],
    ["live", "--seconds", "8", "--long", "30"],
    ["parcels", "--seconds", "10"],
    ["scale", "--visitors", "3000"],
    ["capacity"],
)
"""What ``make bench`` runs."""


def main(arguments: list[str]) -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True)
    for name, module in COMPARISONS.items():
        about = (module.__doc__ or "").splitlines()[0]
        module.arguments(commands.add_parser(name, help=about, description=module.__doc__))
    for one in [arguments] if arguments else SHORT:
        given = parser.parse_args(one)
        COMPARISONS[given.name].main(given)


if __name__ == "__main__":
    main(sys.argv[1:])
