"""``python -m cyme`` is ``cyme-branch``."""

from cyme.programs.branch import main

if __name__ == "__main__":
    main()
