"""`seqvae app` from a clone: python scripts/app.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("app")
