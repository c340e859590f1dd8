"""`seqvae near` from a clone: python scripts/near.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("near")
