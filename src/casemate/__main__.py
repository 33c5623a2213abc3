"""`python -m casemate` is `casemate`."""

import sys

from casemate.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
