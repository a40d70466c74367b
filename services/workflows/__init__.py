"""The catalogue and supervisor of technical workflows: their states, runs, beats and control."""
