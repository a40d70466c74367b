"""Suppliers: services, extraction files, the mail to the router, post-processing."""
