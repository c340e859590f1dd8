"""`seqvae constrain` from a clone: python scripts/constrain.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("constrain")
