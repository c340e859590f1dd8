"""`seqvae fit-prior` from a clone: python scripts/fit-prior.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("fit-prior")
