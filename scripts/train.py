"""`seqvae train` from a clone: python scripts/train.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("train")
