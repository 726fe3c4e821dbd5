"""A report of runs and experiments: one document, written as a page for a browser, as Markdown, and as LaTeX tables."""
