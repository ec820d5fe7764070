"""report.html: one page for people, made from the typed report and from the results of checks.

`layers` joins the stages of a layer, `outline` places the lines of the network's drawing, `checks`
gathers the verdicts, and `html` fills the templates in templates/report/page. `whole` adds the
pictures of the design and the results in the folder.
"""
