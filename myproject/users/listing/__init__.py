"""The list of users: what is asked for, how each database finds it, and how it is shown."""
