"""The desk's page of one edition: its list of stories, every edit and every step, live."""
