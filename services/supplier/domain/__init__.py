"""What suppliers may be told and how: names, layouts, the way of a file, what routers report."""
