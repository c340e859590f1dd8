"""`seqvae sample` from a clone: python scripts/sample.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("sample")
