"""`make demo`: a company, people, vehicles and simulated boards in a running stack."""
