"""What every page needs and no feature owns: requests, forms, messages, errors, languages, templates, headers."""
