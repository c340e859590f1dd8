"""`seqvae inspect` from a clone: python scripts/inspect.py --help"""

import sys

if __name__ == "__main__":
    from _launch import launch

    launch("inspect")
else:
    # Another script of this folder imports the standard library's inspect and meets this file first: step aside.
    folder = sys.path.pop(0)
    del sys.modules["inspect"]
    import inspect  # noqa: F401 - takes this module's place in sys.modules

    sys.path.insert(0, folder)
