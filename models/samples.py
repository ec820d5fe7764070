"""Write a .npz of pictures for `memxc compile --samples`, from a data set.

python models/samples.py fer2013 fer2013.csv build/fer2013.npz
"""

import argparse
from pathlib import Path

from accuracy import SETS, pictures

from memxc.library import samples


def main():
    """Read the command line, and write the first pictures and their labels."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("set", choices=SETS)
    parser.add_argument("data", type=Path, help="the data set")
    parser.add_argument("out", type=Path, help="the .npz to write")
    parser.add_argument("--count", type=int, default=64, help="how many pictures")
    parser.add_argument("--part", choices=("test", "train"), default="test")
    args = parser.parse_args()
    x, wanted = pictures(args.set, args.data, args.part)
    samples.save(args.out, x[: args.count], wanted[: args.count])


if __name__ == "__main__":
    main()
