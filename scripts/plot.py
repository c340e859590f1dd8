"""`seqvae plot` from a clone: python scripts/plot.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("plot")
