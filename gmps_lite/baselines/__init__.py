"""The methods that GMPS is compared with, each a module of six names."""
