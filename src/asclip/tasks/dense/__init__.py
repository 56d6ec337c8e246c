"""Tasks that ask where: pointing at a finding."""
