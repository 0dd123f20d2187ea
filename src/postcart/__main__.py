"""``python -m postcart``: the same as the command ``postcart``."""

from postcart.cli import main

if __name__ == "__main__":
    main()
