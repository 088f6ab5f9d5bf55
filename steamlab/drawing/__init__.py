"""What a live chart is drawn with: figures, their strings escaped, the screen."""
