"""Pictures and animations of tasks and messages; matplotlib is imported only when something is drawn."""
