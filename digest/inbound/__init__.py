"""Handle incoming messages: unsubscribe requests and bounce reports."""
