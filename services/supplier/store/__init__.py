"""What the service remembers, by noun: services, jobs with their rows, mail attempts."""
