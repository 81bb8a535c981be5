"""The ground of the staff's pages: their files, and who may open which page."""
