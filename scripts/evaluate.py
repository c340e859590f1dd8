"""`seqvae evaluate` from a clone: python scripts/evaluate.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("evaluate")
