"""Reports of runs and experiments, written as HTML, Markdown and LaTeX tables."""
