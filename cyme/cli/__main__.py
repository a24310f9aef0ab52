"""``python -m cyme.cli`` is ``cyme``."""

from cyme.cli.main import main

if __name__ == "__main__":
    main()
