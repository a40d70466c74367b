"""The web service: the HTTP edge, its operators and tokens, the start page."""
