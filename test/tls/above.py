# SPDX-License-Identifier: MIT
"""Makes the modules of test/server known: to be imported before them."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "server"))
