"""From bytes to events, and the reason code of what is none."""
