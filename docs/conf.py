"""The documentation as a site: sphinx-build -W -c docs . build/site (`make docs`).

The source folder is the repository, so that links between README.md, docs/ and models/ hold as they
do in a checkout.
"""

import re
import sys
from pathlib import Path

import memxc

sys.path.insert(0, str(Path(__file__).parent))

project = "memxc"
author = copyright = "The memxc authors"
version = release = memxc.__version__
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md", "examples/**.md", "models/*.md"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click", "reference"]
myst_heading_anchors = 5
html_theme = "furo"
html_title = f"memxc {release}"
html_extra_path = ["start"]
html_copy_source = False
autodoc_typehints = "none"  # those of arrays fill a screen; library.md has the types
# Pygments has no highlighter for SPICE: these blocks stay plain.
suppress_warnings = ["misc.highlighting_failure"]


def _folders(_app, name, source):
    """Turn a link to a folder, which the site does not have, into its README or into text."""
    here = Path(__file__).parents[1] / Path(name).parent

    def link(found):
        readme = here / found[2] / "README.md"
        return f"{found[1]}({found[2]}README.md)" if readme.is_file() else found[1][1:-1]

    source[0] = re.sub(r"(\[[^\]\n]+\])\(([\w./-]+/)\)", link, source[0])


def setup(app):
    """Register what turns links to folders into links to pages."""
    app.connect("source-read", _folders)
