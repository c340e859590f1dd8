"""`seqvae data` from a clone: python scripts/data.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("data")
