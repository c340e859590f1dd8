"""`seqvae import-magenta` from a clone: python scripts/import-magenta.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("import-magenta")
