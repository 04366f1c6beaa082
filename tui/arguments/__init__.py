"""What can be said after each verb; light, since every call of a verb makes the arguments of all."""
