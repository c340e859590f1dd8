"""`seqvae personalise` from a clone: python scripts/personalise.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("personalise")
