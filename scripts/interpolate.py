"""`seqvae interpolate` from a clone: python scripts/interpolate.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("interpolate")
