"""Single mails to people who work with Muster or for it; campaigns' mails are ``delivery``'s."""
