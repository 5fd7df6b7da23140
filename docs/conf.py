"""How Sphinx builds the documentation; `make docs` does, offline, with warnings as errors."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from losscodegen import __version__

project = "losscodegen"
author = "the losscodegen authors"
project_copyright = author
version = release = __version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "losscodegen_docs",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_ext"]
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
smartquotes = False  # `--strict` in running text keeps both hyphens

html_theme = "furo"
html_title = f"losscodegen {version}"
# The font of reports has the braces and integrals that a browser without one cannot stretch.
html_static_path = ["_static", "../losscodegen/teach/assets/stix-two-math.woff2"]
html_css_files = ["losscodegen.css"]
html_js_files = ["losscodegen.js"]
html_copy_source = False
html_show_copyright = False
# Nothing that a page needs is loaded from elsewhere, so it can be read from a folder.
html_theme_options = {"navigation_with_keys": True}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "github-dark"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"

# Types that are documented elsewhere; there is no network to link to them with.
nitpick_ignore_regex = [
    (r"py:.*", r"(collections\.abc|pathlib|types|typing|sympy|torch|enum)\..*"),
    (r"py:.*", r"(Any|Callable|Iterable|Mapping|Path|Sequence|ModuleType|Enum)"),
    (r"py:.*", r"(str|int|float|bool|type|tuple|list|dict|object|None)"),
    (r"py:.*", r"(Exception|ValueError|KeyError)"),
    # Imported for the type checker alone: signatures have their names without a module.
    (r"py:class", r"[A-Z]\w+"),
]
