"""`seqvae compare` from a clone: python scripts/compare.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("compare")
