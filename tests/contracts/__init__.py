"""The contracts of `lungreg.stores` as tests, written once and inherited per implementation."""
