"""Fetch documents from the network, within limits and never from an internal address."""
