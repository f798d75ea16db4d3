"""Run the console as ``python -m migconsole``."""

from migconsole.cli import main

if __name__ == "__main__":
    main()
