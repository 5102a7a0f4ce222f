"""The pages, a module or a folder each."""
