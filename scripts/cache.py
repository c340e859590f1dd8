"""`seqvae cache` from a clone: python scripts/cache.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("cache")
