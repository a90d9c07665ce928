"""`python -m starbooth` is `starbooth`."""

from starbooth.cli.main import run

if __name__ == "__main__":
    run()
