"""The models in the box, made: from folders of paintings, by one command."""
