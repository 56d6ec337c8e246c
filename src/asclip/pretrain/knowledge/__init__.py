"""Knowledge-enhanced objectives: definitions of findings, ontologies, anatomy, frozen language."""
