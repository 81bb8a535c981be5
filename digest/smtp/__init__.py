"""Send messages over SMTP; this client knows nothing but servers, messages and receipts."""
