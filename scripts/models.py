"""`seqvae models` from a clone: python scripts/models.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("models")
