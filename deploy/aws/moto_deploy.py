"""Deploys the templates into moto, in this process, and reads back what it made.

    python3 moto_deploy.py FOLDER NAME

moto knows less than AWS: unsupported lists the types that are taken out, each with the reason.
Exits with 1 and the reason where a stack or a check fails.
"""

import json
import os
import sys
from pathlib import Path
