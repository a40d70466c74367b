"""What the service remembers, by noun: models, members, generations, actions, items, moves."""
