"""``python -m losscodegen``."""

from losscodegen.cli.main import main

if __name__ == "__main__":
    main()
