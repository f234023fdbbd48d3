"""``python -m posctl``."""

from posctl.cli.main import main

if __name__ == "__main__":
    main()
