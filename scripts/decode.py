"""`seqvae decode` from a clone: python scripts/decode.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("decode")
