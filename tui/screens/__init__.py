"""What fills the terminal: one screen a module, imported when it is first shown."""
