"""Define all colours, fonts and sizes of emails and pages, and derive those of a publisher's brand."""
