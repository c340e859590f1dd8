"""`seqvae reconstruct` from a clone: python scripts/reconstruct.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("reconstruct")
