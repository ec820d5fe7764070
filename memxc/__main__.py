"""`python -m memxc` is `memxc`."""

from memxc.cli import main

if __name__ == "__main__":
    main()
