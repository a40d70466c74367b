"""Letters as PDF: set by typst in a child process that can reach no file and no network."""
