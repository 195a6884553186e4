"""Small tasks, one a file with its drawing; most have a known optimum."""
