"""`seqvae attribute` from a clone: python scripts/attribute.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("attribute")
