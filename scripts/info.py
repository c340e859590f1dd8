"""`seqvae info` from a clone: python scripts/info.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("info")
