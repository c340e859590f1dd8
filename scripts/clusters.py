"""`seqvae clusters` from a clone: python scripts/clusters.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("clusters")
