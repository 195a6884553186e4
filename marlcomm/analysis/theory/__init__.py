"""The return gap of discrete messages: bounds, exact solutions of small tasks, and estimates from episodes."""
