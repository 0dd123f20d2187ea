"""``python -m bench``: all benches, figures on stdout and in bench/results."""

import argparse

from bench import detect

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=60, help="size of the input; 1,300 records each")
    parser.add_argument("--runs", type=int, default=3, help="of each contender; the median counts")
    arguments = parser.parse_args()
    detect.main(arguments.tiles, arguments.runs)
