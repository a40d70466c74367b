"""Following what becomes of a message: links, opens, mirror pages, what they add up to."""
