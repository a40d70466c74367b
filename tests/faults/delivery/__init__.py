"""The delivery engine alone: killed, frozen and starved hundreds of times, in many short runs."""
