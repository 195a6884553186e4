"""What is communicated, to whom, and what it is worth: numbers from recorded and replayed episodes."""
