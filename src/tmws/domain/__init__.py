"""The ground: frozen types and pure rules. No clock, no chance, no input or output."""
