"""The container image, and how a container knows whether its service is ready."""
