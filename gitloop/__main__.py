"""`python -m gitloop` is `gitloop`."""

from gitloop.cli.main import run

if __name__ == "__main__":
    run()
