"""`seqvae outliers` from a clone: python scripts/outliers.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("outliers")
