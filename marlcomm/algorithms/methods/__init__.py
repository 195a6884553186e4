"""Published methods, one paper a file: the settings that make it of a learner, and the numbers that were published."""
