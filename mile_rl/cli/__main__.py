"""``python -m mile_rl.cli``: the same as ``mile``."""

from mile_rl.cli.main import main

if __name__ == "__main__":
    main()
