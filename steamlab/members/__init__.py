"""Members of consumer groups as processes of their own: to be started, frozen, killed."""
