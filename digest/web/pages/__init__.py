"""The pages for readers, one module for each subject."""
