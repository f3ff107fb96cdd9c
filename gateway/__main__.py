"""`python -m gateway` and the command `gateway`. Not here: any verb (`cli.program` lists them)."""

import sys

from gateway.cli.program import main

if __name__ == "__main__":
    sys.exit(main())
