"""`seqvae similar` from a clone: python scripts/similar.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("similar")
