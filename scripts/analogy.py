"""`seqvae analogy` from a clone: python scripts/analogy.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("analogy")
