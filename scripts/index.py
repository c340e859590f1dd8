"""`seqvae index` from a clone: python scripts/index.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("index")
