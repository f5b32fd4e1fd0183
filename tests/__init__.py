"""The tests, as a package: suites such as `tests.contracts` are shared between files."""
