"""What the traces say: figures in one pass, plots, and a report in HTML and Markdown."""
