"""The forge: pristine panels and a recipe -> panels with a known change, for training and tests."""
