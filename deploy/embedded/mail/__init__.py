"""The mail catcher: an SMTP server that keeps every mail, sends none, and shows them on a page."""
