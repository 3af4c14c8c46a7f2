"""What each language brings to a Recipe: a module per language, all of one shape (`base`). Pure."""
