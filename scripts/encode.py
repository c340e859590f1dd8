"""`seqvae encode` from a clone: python scripts/encode.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("encode")
