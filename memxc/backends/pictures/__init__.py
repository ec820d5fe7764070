"""Pictures of a programmed design, as SVG: floor plans, heat maps of a crossbar, and histograms.

`page` makes them an inline part of a page. matplotlib is an extra and slow to import, so only
`memxc report` draws, and each function imports it when it is called.
"""
