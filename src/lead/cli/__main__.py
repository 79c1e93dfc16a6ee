"""``python -m lead.cli``."""

from lead.cli import main

if __name__ == "__main__":
    main()
