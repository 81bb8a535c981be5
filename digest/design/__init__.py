"""One operation for each request of a designer: own templates, and a preview that follows every change."""
